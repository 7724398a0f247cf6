"""Where networks run and in which number formats: the machine is asked, the user's flags win.

Half precision only where the processor computes in it: on a CPU without it one fp16 step takes minutes
(spec/performance.md §3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from modules.checkpoints.load import Placement
from modules.checkpoints.offload import Offload
from modules.terms.errors import BadRequest


@dataclass(frozen=True)
class DeviceWishes:
    """What the command line asks for. device: "" (choose), "cpu", "cuda", "cuda:1", "mps", "xpu".

    full_precision: `--no-half`; full_precision_vae: `--no-half-vae`; half_text: `--precision half`.
    offload: what is offloaded at least, `--medvram` and `--lowvram`; offload_sdxl: the same for SDXL alone. More is, if
    memory is short.
    """

    device: str = ""
    full_precision: bool = False
    full_precision_vae: bool = False
    half_text: bool = False
    offload: Offload = Offload.NONE
    offload_sdxl: Offload = Offload.NONE

    def offload_for(self, family: str) -> Offload:
        """What is offloaded at least of a model of that family."""
        return max(self.offload, self.offload_sdxl) if family.lower().startswith("sdxl") else self.offload


def pick_device(wish: str = "") -> torch.device:
    """The device asked for, or the best there is. Raises: BadRequest if the one asked for is not there."""
    if not wish:
        return torch.device(next((name for name in ("cuda", "xpu", "mps") if _available(name)), "cpu"))
    try:
        device = torch.device(int(wish)) if wish.isdecimal() else torch.device(wish)
    except (RuntimeError, ValueError):
        raise BadRequest(f"There is no kind of device called {wish!r}. Known: cuda, cuda:1 …, xpu, mps, cpu.") from None
    if not _available(device.type) or (device.index or 0) >= _count(device.type):
        raise BadRequest(f"The device {wish!r} is not there, or this PyTorch ({torch.__version__}) cannot use it.")
    return device


def placement_for(wishes: DeviceWishes = DeviceWishes()) -> Placement:
    """Device and number formats by `wishes` and by what the device can do."""
    device = pick_device(wishes.device)
    full = wishes.full_precision or device.type == "cpu"
    unet = torch.float32 if full else torch.float16
    vae = torch.float32
    if not (full or wishes.full_precision_vae) and device.type == "cuda" and torch.cuda.is_bf16_supported(False):
        vae = torch.bfloat16  # the range of float32: no NaN, where float16 overflows in SDXL's VAE
    wide = unet
    if not full and device.type == "cuda" and torch.cuda.is_bf16_supported(False):
        wide = torch.bfloat16
    # Text encoders run once per prompt: float32 costs nothing there and keeps emphasis exact. Those of billions of
    # numbers were trained in bfloat16, and overflow in float16.
    large = wide if wide == torch.bfloat16 else torch.float32
    text = torch.float16 if wishes.half_text and not full else torch.float32
    return Placement(device=device, unet=unet, text=text, vae=vae, wide=wide, large_text=large)


def _available(kind: str) -> bool:
    if kind == "cpu":
        return True
    if kind == "mps":
        return torch.backends.mps.is_available()
    found = getattr(torch, kind, None)
    return found is not None and hasattr(found, "is_available") and bool(found.is_available())


def _count(kind: str) -> int:
    return getattr(torch, kind).device_count() if kind in ("cuda", "xpu") else 1
