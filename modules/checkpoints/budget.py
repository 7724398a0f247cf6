"""What a job will need and how the model is kept for it: arithmetic over bytes, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from modules.checkpoints.offload import GROUP_BYTES, Offload

GIGABYTE = 1e9
AUTOMATIC = "Automatic"
# The setting `model_offload`: the least and the most that is offloaded.
OFFLOADS: Mapping[str, tuple[Offload, Offload]] = {
    AUTOMATIC: (Offload.NONE, Offload.BLOCKS),
    "Never": (Offload.NONE, Offload.NONE),
    "Network by network": (Offload.PARTS, Offload.BLOCKS),
    "Block by block": (Offload.BLOCKS, Offload.BLOCKS),
}
# Maps of the width and size of the first level that a step has in memory at its peak, for each picture and each of
# prompt and negative prompt. SD 1.5 at 512x512 was measured at 48 (0.5 GB in float32).
# A transformer's stream, its queries, keys, values and the widened middle of its MLP make 14.
MAPS_UNET = 48
MAPS_TRANSFORMER = 14


@dataclass(frozen=True)
class Work:
    """What is to be drawn: pixels and pictures per batch. doubled: prompt and negative prompt are asked together."""

    width: int = 512
    height: int = 512
    batch: int = 1
    doubled: bool = True


@dataclass(frozen=True)
class Need:
    """Bytes: the weights of the denoising network, the text encoders and the VAE, and what one step and one decoding
    need on top."""

    denoiser: int
    texts: int
    vae: int
    step: int = 0
    decode: int = 0

    @property
    def weights(self) -> int:
        return self.denoiser + self.texts + self.vae

    def rested(self) -> Need:
        """The same where text encoders give their memory back before pictures are drawn (`resting`)."""
        return replace(self, texts=max(0, self.texts - max(self.step, self.decode)))

    def peak(self, mode: Offload) -> int:
        """The most that is on the device at once when the model is kept in this way."""
        if mode == Offload.NONE:
            return self.weights + max(self.step, self.decode)
        denoiser = self.denoiser if mode == Offload.PARTS else min(self.denoiser, 2 * GROUP_BYTES)
        waiting = 0 if mode == Offload.PARTS else denoiser
        return max(denoiser + self.step, self.texts + waiting, self.vae + self.decode + waiting)


@dataclass(frozen=True)
class Decision:
    """How a model is kept. note: a sentence for the user if that is slower than it could be, else ""."""

    mode: Offload
    note: str = ""


DOINGS = {
    Offload.PARTS: "will keep only the network that works on the device",
    Offload.BLOCKS: "will move the network to the device block by block",
}


def decided(need: Need, free: int, *, least: Offload = Offload.NONE, most: Offload = Offload.BLOCKS) -> Decision:
    """The fastest way to keep a model that fits into `free` bytes.

    least, most: the ways that the user allows; `least` is taken without a word.
    """
    ways = [mode for mode in Offload if least <= mode <= most]
    mode = next((mode for mode in ways if need.peak(mode) <= free), ways[-1])
    if need.peak(mode) > free:
        doing = f"{DOINGS[mode]}, and even that may not fit" if mode != least else "memory may run out"
    elif mode != least:
        doing = DOINGS[mode]
    else:
        return Decision(mode)
    return Decision(mode, f"Needs about {gigabytes(need.peak(least))}, {gigabytes(free)} free: {doing}.")


def gigabytes(count: int) -> str:
    return f"{max(0, count) / GIGABYTE:.1f} GB"


def step_bytes(config: Mapping[str, Any], work: Work, downscale: int, itemsize: int) -> int:
    """About what a step takes beside the weights. config: of diffusers' network."""
    area = (work.width // downscale) * (work.height // downscale)
    copies = work.batch * (2 if work.doubled else 1)
    widths = config.get("block_out_channels")
    if widths:
        return int(MAPS_UNET * area * widths[0] * copies * itemsize)
    patch = config.get("patch_size") or 2
    patch = patch if isinstance(patch, int) else patch[-1]
    width = config.get("hidden_size") or config.get("dim")
    if not width:
        width = int(config.get("num_attention_heads") or 24) * int(config.get("attention_head_dim") or 128)
    return int(MAPS_TRANSFORMER * area // patch**2 * width * copies * itemsize)


def decode_bytes(config: Mapping[str, Any], work: Work, itemsize: int, largest: int) -> int:
    """About what decoding one picture takes beside the weights; above `largest` pixels it is done in tiles."""
    widths = config.get("block_out_channels") or (128, 256)
    return int(4 * max(widths[:2]) * min(work.width * work.height, largest) * itemsize)
