"""The picture as it stands while it forms: latents through a linear map, enlarged. Costs less than a millisecond."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.imaging.grids import image_grid

# Latent channel -> RGB, fitted by least squares on SD 1.x latents (spec/sampling.md §16, "Approx cheap").
SD1_RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
PREVIEW_LONG_SIDE = 512


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
