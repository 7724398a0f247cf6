"""The picture as it stands while it forms, by the method that the settings name.

"Approx cheap" is a linear map that costs less than a millisecond; the others are networks: small ones that need a file
of their own, or the VAE itself.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.checkpoints.approximate import Approximations, decoded_by
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.offload import Offload
from modules.imaging.grids import image_grid

# Latent channel -> RGB, fitted by least squares on SD 1.x latents (spec/sampling.md §16, "Approx cheap").
SD1_RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
PREVIEW_LONG_SIDE = 512

# (B, C, h, w) latents -> (B, H, W, 3) uint8; the sides are those of the latents or larger.
Drawing = Callable[[Tensor], "np.ndarray"]


def drawing_of(
    settings: Mapping[str, Any], approximations: Approximations, bundle: ModelBundle, note: Callable[[str], None]
) -> Drawing:
    """How `show_progress_type` draws latents of `bundle`.

    Without the file that a method needs "Approx cheap" takes its place. `note` is told which file that is for TAESD;
    "Approx NN" is set before anyone chose, and nobody wants to hear of it with every picture. Where the VAE would have
    to be brought to the device for it, "Approx NN" takes the place of "Full", unless the settings allow it.
    """
    method, latent = settings["show_progress_type"], bundle.latent

    def cheap(latents: Tensor) -> np.ndarray:
        return linear(latents, latent.rgb_factors, latent.rgb_bias)

    def nearby(latents: Tensor) -> np.ndarray:
        network = approximations.nearby(latent)
        return cheap(latents) if network is None else _shown(_asked(network, latents))

    def full(latents: Tensor) -> np.ndarray:
        waits = bundle.offloading is not None and bundle.offloading.mode != Offload.NONE
        if waits and not settings["live_preview_allow_lowvram_full"]:
            return nearby(latents)
        return _shown(bundle.decode(latents))

    if method == "TAESD":
        tiny = approximations.tiny(latent)
        if tiny is not None:
            return lambda latents: _shown(decoded_by(tiny, latents))
        note(f"{approximations.missing(latent, tiny=True)} Previews are drawn by Approx cheap.")
    return {"Full": full, "Approx NN": nearby}.get(method, cheap)


class Previewer:
    """Draws previews of a pass that the calling thread draws. draw: how; grid: all of a batch, or the first alone.

    by_worker: `draw` uses the networks of the pass, so that no other thread may call it: the pass draws for those who
    look, at the next step; `meanwhile` draws what they get until then.
    """

    def __init__(self, draw: Drawing, *, grid: bool, by_worker: bool = False, meanwhile: Drawing | None = None) -> None:
        self._draw, self._grid, self._by_worker = draw, grid, by_worker
        self._meanwhile = meanwhile or draw
        self._worker = threading.get_ident()
        self._wanted = False
        self._last: Image.Image | None = None

    def at(self, latents: Tensor) -> Callable[[], Image.Image]:
        """What draws `latents` (B, C, h, w) if somebody looks; called at every step."""
        shown = latents if self._grid else latents[:1]
        if self._wanted:
            self._wanted = False
            self._last = _grid_of(self._draw(shown))
        return partial(self._look, shown)

    def _look(self, latents: Tensor) -> Image.Image:
        if not self._by_worker or threading.get_ident() == self._worker:
            return _grid_of(self._draw(latents))
        self._wanted = True
        return self._last or _grid_of(self._meanwhile(latents))


def previewer(
    settings: Mapping[str, Any], approximations: Approximations, bundle: ModelBundle, note: Callable[[str], None]
) -> Previewer:
    """What draws previews of latents of `bundle`, as the settings want them; see `drawing_of`."""
    full = settings["show_progress_type"] == "Full"
    cheap = drawing_of({**settings, "show_progress_type": "Approx NN"}, approximations, bundle, note)
    return Previewer(
        drawing_of(settings, approximations, bundle, note),
        grid=bool(settings["show_progress_grid"]),
        by_worker=full,
        meanwhile=cheap if full else None,
    )


def quick_pictures(drawing: Drawing, latents: Tensor, downscale: int) -> list[Image.Image]:
    """The pictures of `latents` as previews are drawn, in full size."""
    size = latents.shape[-1] * downscale, latents.shape[-2] * downscale
    return [Image.fromarray(array).resize(size, Image.Resampling.BICUBIC) for array in drawing(latents)]


def _asked(network: torch.nn.Module, latents: Tensor) -> Tensor:
    with torch.no_grad():
        pixels: Tensor = network.to(latents.device)(latents.float())
    return pixels.cpu()


def _shown(pixels: Tensor) -> np.ndarray:
    """(B, 3, H, W) about [-1, 1] -> (B, H, W, 3) uint8."""
    array: np.ndarray = ((pixels.float().cpu() + 1) * 127.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return array


def _grid_of(arrays: np.ndarray) -> Image.Image:
    """One picture of them, no larger than a preview needs."""
    return image_grid([enlarged(array) for array in arrays])


def preview_image(
    latents: Tensor, factors: Sequence[Sequence[float]], bias: Sequence[float] = (0.0, 0.0, 0.0)
) -> Image.Image:
    """A small RGB picture of `latents` (B, C, h, w), all of a batch in one grid. factors, bias: as in `linear`."""
    return _grid_of(linear(latents, factors, bias))


def linear(latents: Tensor, factors: Sequence[Sequence[float]], bias: Sequence[float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """(B, C, h, w) -> (B, h, w, 3) uint8. `factors` (C rows of RGB) and `bias` give values in [-1, 1]."""
    weights = torch.tensor(factors, dtype=torch.float32)
    flat = latents.detach().to("cpu", torch.float32)
    rgb = torch.einsum("bchw,cr->bhwr", flat, weights) + torch.tensor(bias, dtype=torch.float32)
    pixels: np.ndarray = ((rgb + 1) * 127.5).clamp(0, 255).to(torch.uint8).numpy()
    return pixels


def enlarged(array: np.ndarray) -> Image.Image:
    """`array` (h, w, 3) as a picture eight times as large, but no longer than a preview needs."""
    height, width = array.shape[:2]
    scale = min(8.0, PREVIEW_LONG_SIDE / max(height, width))
    size = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return Image.fromarray(array).resize(size, Image.Resampling.BICUBIC)
