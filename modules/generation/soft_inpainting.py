"""Soft inpainting: a grey mask keeps more of the original the further the drawing is, and the result shows where it
really differs. Source: spec/sampling.md §15.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from modules.diffusion.inpainting import Blend
from modules.generation.always_on import SoftInpainting
from modules.imaging.masks import Box, uncropped
from modules.imaging.resize import ResizeMode, resize

Floats = NDArray[np.float64]

# The neighbourhood that differences are judged over: a Gaussian of this spread that reaches 0 just outside.
SPREAD, REACH = 1.5, 2
# Of the differences around a place, the first filter takes the mean of the largest, the second that of the middle.
SHARES = ((0.9, 1.0), (0.25, 0.75))
MASK_BLUR = 4


def blend_by(options: SoftInpainting, paint: Tensor) -> Blend:
    """How original and new are mixed at each call. paint: broadcastable to latents, 1 where all is new."""

    def blend(kept: Tensor, painted: Tensor, level: Tensor) -> Tensor:
        power = level.view(-1, 1, 1, 1) ** options.schedule_bias * options.preservation_strength
        return mixed(kept, painted, paint**power, options.transition_contrast_boost)

    return blend


def mixed(kept: Tensor, painted: Tensor, share: Tensor, boost: float) -> Tensor:
    """`kept` and `painted` (B, C, H, W) mixed by `share`; the length of each latent vector is the power mean of the two
    with exponent `boost`, since opposed vectors would cancel out and blur."""
    straight = kept * (1 - share) + painted * share

    def length(latents: Tensor) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(latents, dim=1, keepdim=True)
        return norm.double()

    wanted = (length(kept) ** boost * (1 - share) + length(painted) ** boost * share) ** (1 / boost)
    result: Tensor = straight * (wanted / (length(straight) + 1e-5)).to(straight.dtype)
    return result


def difference_masks(
    options: SoftInpainting, before: Tensor, after: Tensor, paint: Tensor, size: tuple[int, int]
) -> list[Image.Image]:
    """For each picture a mask (L) of `size`, white where it shows instead of the original.

    before, after: (B, C, h, w), clean latents of both. paint: (1, 1, h, w), the share that was new.
    """
    share = paint[0, 0].clamp(0, 1).cpu().double().numpy() ** (options.preservation_strength / 2)
    weight = 0.5 * (1 - options.mask_influence) + (1 - share) * options.mask_influence
    half = options.difference_threshold * weight / (1.00001 - weight)
    distances = torch.linalg.vector_norm(after - before, dim=1).cpu().double().numpy()
    return [_mask(distance, half, options.difference_contrast, size) for distance in distances]


def _mask(distance: Floats, half: Floats, contrast: float, size: tuple[int, int]) -> Image.Image:
    """White where `distance` (h, w) is well above `half`."""
    for low, high in SHARES:
        distance = mean_of_ranks(distance, low, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        hidden = 1 / (1 + np.nan_to_num(distance / half, posinf=np.inf) ** contrast)
    # Perlin's smoother step.
    opacity = 1 - hidden**3 * (hidden * (hidden * 6 - 15) + 10)
    mask = resize(Image.fromarray((opacity * 255).astype(np.uint8)), *size, ResizeMode.FILL).convert("L")
    return mask.filter(ImageFilter.GaussianBlur(MASK_BLUR))


def in_place(mask: Image.Image, size: tuple[int, int], box: Box | None) -> Image.Image:
    """`mask` where it belongs in a picture of `size`, black around it."""
    placed = uncropped(mask.convert("RGB"), size, box).convert("L")
    return placed if placed.size == size else placed.resize(size)


def mean_of_ranks(values: Floats, low: float, high: float) -> Floats:
    """Around each place of `values` (h, w), the mean of those whose rank lies between the shares `low` and `high`.

    Neighbours count by a Gaussian; between them they have at least the weight of one whole place.
    """
    kernel = neighbourhood()
    side = 2 * REACH + 1
    padded = np.pad(values, REACH)
    inside = np.pad(np.ones_like(values), REACH)
    around = np.lib.stride_tricks.sliding_window_view(padded, (side, side)).reshape(*values.shape, -1)
    weights = np.lib.stride_tricks.sliding_window_view(inside, (side, side)).reshape(*values.shape, -1) * kernel.ravel()
    order = around.argsort(axis=-1, kind="stable")
    around, weights = (np.take_along_axis(one, order, axis=-1) for one in (around, weights))
    ends = weights.cumsum(axis=-1)
    total = ends[..., -1:]
    start, end = total * low, total * high
    narrow = end - start < 1
    middle = ((start + end) / 2).clip(0.5, np.maximum(total - 0.5, 0.5))
    start, end = np.where(narrow, middle - 0.5, start), np.where(narrow, middle + 0.5, end)
    covered = (np.minimum(ends, end) - np.maximum(ends - weights, start)).clip(0)
    result: Floats = (around * covered).sum(axis=-1) / covered.sum(axis=-1)
    return result


def neighbourhood() -> Floats:
    """Weights of the places around one, which has 1: (5, 5)."""

    def gaussian(squared: float) -> float:
        return math.exp(-squared / SPREAD**2)

    outside = gaussian((REACH + 1) ** 2)
    offsets: Sequence[int] = range(-REACH, REACH + 1)
    return np.array([[max(0.0, (gaussian(x * x + y * y) - outside) / (1 - outside)) for x in offsets] for y in offsets])
