"""The picture as it stands while it forms, by the method that the settings name.

"Approx cheap" is a linear map that costs less than a millisecond; the others are networks: small ones that need a file
of their own, or the VAE itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.checkpoints.approximate import Approximations, decoded_by
from modules.checkpoints.bundle import ModelBundle
from modules.imaging.grids import image_grid

# Latent channel -> RGB, fitted by least squares on SD 1.x latents (spec/sampling.md §16, "Approx cheap").
SD1_RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
PREVIEW_LONG_SIDE = 512

Preview = Callable[[Tensor], Image.Image]


def previewer(
    settings: Mapping[str, Any], approximations: Approximations, bundle: ModelBundle, note: Callable[[str], None]
) -> Preview:
    """What draws previews of latents of `bundle`.

    Without the file that a method needs "Approx cheap" takes its place. `note` is told which file that is for TAESD;
    "Approx NN" is set before anyone chose, and nobody wants to hear of it with every picture.
    """
    method, latent = settings["show_progress_type"], bundle.latent
    grid = bool(settings["show_progress_grid"])

    def shown(latents: Tensor) -> Tensor:
        return latents if grid else latents[:1]

    if method == "Full":
        return lambda latents: _grid_of(bundle.decode(shown(latents)))
    if method == "TAESD":
        tiny = approximations.tiny(latent)
        if tiny is not None:
            return lambda latents: _grid_of(decoded_by(tiny, shown(latents)))
        note(f"{approximations.missing(latent, tiny=True)} Previews are drawn by Approx cheap.")
    if method == "Approx NN":
        nearby = approximations.nearby(latent)
        if nearby is not None:
            return lambda latents: _grid_of(_asked(nearby, shown(latents)))
    return lambda latents: preview_image(shown(latents), latent.rgb_factors, latent.rgb_bias)


def _asked(network: torch.nn.Module, latents: Tensor) -> Tensor:
    with torch.no_grad():
        pixels: Tensor = network.to(latents.device)(latents.float())
    return pixels.cpu()


def _grid_of(pixels: Tensor) -> Image.Image:
    """(B, 3, H, W) about [-1, 1] as one picture, no larger than a preview needs."""
    arrays = ((pixels.float().cpu() + 1) * 127.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return image_grid([enlarged(array) for array in arrays])


def preview_image(
    latents: Tensor, factors: Sequence[Sequence[float]], bias: Sequence[float] = (0.0, 0.0, 0.0)
) -> Image.Image:
    """A small RGB picture of `latents` (B, C, h, w), all of a batch in one grid.

    `factors` (C rows of RGB) and `bias` give values in [-1, 1].
    """
    weights = torch.tensor(factors, dtype=torch.float32)
    flat = latents.detach().to("cpu", torch.float32)
    rgb = torch.einsum("bchw,cr->bhwr", flat, weights) + torch.tensor(bias, dtype=torch.float32)
    pixels = ((rgb + 1) * 127.5).clamp(0, 255).to(torch.uint8).numpy()
    return image_grid([enlarged(array) for array in pixels])


def enlarged(array: np.ndarray) -> Image.Image:
    """`array` (h, w, 3) as a picture eight times as large, but no longer than a preview needs."""
    height, width = array.shape[:2]
    scale = min(8.0, PREVIEW_LONG_SIDE / max(height, width))
    size = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return Image.fromarray(array).resize(size, Image.Resampling.BICUBIC)
