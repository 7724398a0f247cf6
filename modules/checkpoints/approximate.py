"""Small networks that stand in for a VAE: TAESD encodes and decodes, "Approx NN" makes a small preview.

Which file serves is a matter of the latents, not of the checkpoint. Files: TAESD by Ole Ingemar Bohan
(github.com/madebyollin/taesd), read into diffusers' AutoencoderTiny; A1111's VAE-approx (spec/sampling.md §16).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad

from modules.checkpoints.files import open_tensors
from modules.checkpoints.latent import LatentFormat
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

ENDINGS = (".safetensors", ".pth", ".pt")


@dataclass(frozen=True)
class _Names:
    """Names of the files, without ending, for latents of so many channels at that scale."""

    channels: int
    scale: float
    tiny: str
    nearby: str | None = None


NAMES = (
    _Names(4, 0.18215, "taesd", "model"),
    _Names(4, 0.13025, "taesdxl", "vaeapprox-sdxl"),
    _Names(16, 1.5305, "taesd3", "vaeapprox-sd3"),
    _Names(16, 0.3611, "taef1"),
)
MARGIN = 11


class ApproxNN(nn.Module):
    """(B, C, h, w) latents -> (B, 3, 2h, 2w) about [-1, 1]: eight convolutions, whose sizes the file tells."""

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        for number, (out, into, height, width) in enumerate(shapes, 1):
            self.add_module(f"conv{number}", nn.Conv2d(into, out, (height, width)))

    def forward(self, latents: Tensor) -> Tensor:
        x = interpolate(latents, scale_factor=2.0, mode="nearest")
        x = pad(x, (MARGIN,) * 4)
        for layer in self.children():
            x = leaky_relu(layer(x), 0.1)
        return x


class Approximations:
    """The files in some folders, read when they are first needed. All networks are on the CPU or where the latents
    are, in float32."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = tuple(folders)
        self._lock = threading.Lock()  # previews are drawn by whoever asks for them
        self._read: dict[tuple[Path, ...], nn.Module] = {}

    def tiny(self, latent: LatentFormat, *, encodes: bool = False) -> AutoencoderTiny | None:
        """The TAESD for these latents; None if there is no file of it. Raises: UnknownFile, Refused."""
        names = _names_of(latent)
        half = "encoder" if encodes else "decoder"
        path = self._find(f"{names.tiny}_{half}") if names else None
        if path is None:
            return None
        network: Any = self._network((path,), lambda: read_tiny(path, latent.channels, half))
        return network  # type: ignore[no-any-return]

    def nearby(self, latent: LatentFormat) -> ApproxNN | None:
        """The "Approx NN" for these latents; None if there is no file of it. Raises: UnknownFile, Refused."""
        names = _names_of(latent)
        path = self._find(names.nearby) if names and names.nearby else None
        if path is None:
            return None
        network: Any = self._network((path,), lambda: read_nearby(path, latent.channels))
        return network  # type: ignore[no-any-return]

    def missing(self, latent: LatentFormat, *, tiny: bool, encodes: bool = False) -> str:
        """A sentence that says which file is missing and where it belongs."""
        names = _names_of(latent)
        folder = self._folders[0] if self._folders else Path("models/VAE-approx")
        place = Path(*folder.parts[-2:])
        wanted = names and (f"{names.tiny}_{'encoder' if encodes else 'decoder'}.pth" if tiny else names.nearby)
        kind = "TAESD" if tiny else "Approx NN"
        if not wanted:
            return f"There is no {kind} for the latents of this model."
        ending = "" if Path(wanted).suffix else ".pt"
        return f"{kind} needs the file {wanted}{ending} in {place.as_posix()}."

    def _find(self, name: str) -> Path | None:
        paths = (folder / f"{name}{ending}" for folder in self._folders for ending in ENDINGS)
        return next((path for path in paths if path.is_file()), None)

    def _network(self, key: tuple[Path, ...], read: Any) -> nn.Module:
        with self._lock:
            if key not in self._read:
                self._read[key] = read()
            return self._read[key]


def decoded_by(tiny: AutoencoderTiny, latents: Tensor) -> Tensor:
    """(B, C, h, w) as the denoising network has them -> (B, 3, 8h, 8w) float32 about [-1, 1], on the CPU."""
    with torch.no_grad():
        nn.Module.to(tiny, latents.device)
        pictures = [tiny.decode(one, return_dict=False)[0].float().cpu() for one in latents.float().split(1)]
    return torch.cat(pictures)


def encoded_by(tiny: AutoencoderTiny, pixels: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1] -> latents as the denoising network wants them."""
    with torch.no_grad():
        nn.Module.to(tiny, pixels.device)
        return torch.cat([tiny.encode(one, return_dict=False)[0] for one in pixels.float().split(1)])


def read_tiny(path: Path, channels: int, half: str) -> AutoencoderTiny:
    """The TAESD whose "decoder" or "encoder" is in `path`; the other half stays random. Raises: UnknownFile."""
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    network: AutoencoderTiny = AutoencoderTiny(latent_channels=channels)
    part = network.decoder if half == "decoder" else network.encoder
    # In the original the decoder's first layer is the clamp, which diffusers counts as no layer.
    offset = 1 if half == "decoder" else 0
    renamed = {f"layers.{_renumbered(key, offset)}": value for key, value in _tensors(path).items()}
    _fill(part, renamed, path, "TAESD")
    network.eval().requires_grad_(False)
    return network


def read_nearby(path: Path, channels: int) -> ApproxNN:
    """The "Approx NN" in `path`. Raises: UnknownFile."""
    tensors = _tensors(path)
    shapes = [tuple(tensors[f"conv{n}.weight"].shape) for n in range(1, 33) if f"conv{n}.weight" in tensors]
    if not shapes or any(len(shape) != 4 for shape in shapes) or shapes[0][1] != channels:
        raise UnknownFile(f"{path.name} is no Approx NN for latents of {channels} channels. Download it again.")
    network = ApproxNN(shapes)
    _fill(network, tensors, path, "Approx NN")
    return network.eval().requires_grad_(False)


def _tensors(path: Path) -> Mapping[str, Tensor]:
    return {key: value.float() for key, value in open_tensors(path).items()}


def _renumbered(key: str, offset: int) -> str:
    number, _, rest = key.partition(".")
    return f"{int(number) - offset}.{rest}" if number.isdecimal() else key


def _fill(network: nn.Module, tensors: Mapping[str, Tensor], path: Path, kind: str) -> None:
    wanted = {key: value.shape for key, value in network.state_dict().items()}
    if wanted != {key: value.shape for key, value in tensors.items()}:
        raise UnknownFile(f"{path.name} is no {kind} for these latents, or it is damaged. Download it again.")
    network.load_state_dict(dict(tensors))


def _names_of(latent: LatentFormat) -> _Names | None:
    fits = (one for one in NAMES if one.channels == latent.channels and abs(one.scale - latent.scale) < 1e-4)
    return next(fits, None)
