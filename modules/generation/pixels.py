"""Between decoded tensors and pictures, as A1111 rounds them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def pictures_of(pixels: Tensor) -> list[Image.Image]:
    """RGB pictures of `pixels` (B, 3, H, W) in about [-1, 1].

    Values are cut off, not rounded: A1111 does, and rounding would shift half of all values by one.
    Source: spec/parity_facts.md, 2.
    """
    scaled = ((pixels.float() + 1) / 2).clamp(0, 1).mul(255)
    arrays = scaled.permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
    return [Image.fromarray(array) for array in arrays]


def pixels_of(images: list[Image.Image]) -> Tensor:
    """`images`, all of one size, as (B, 3, H, W) float32 in [-1, 1]."""
    arrays = np.stack([np.asarray(image.convert("RGB"), dtype=np.float32) for image in images])
    return torch.from_numpy(arrays / 255 * 2 - 1).permute(0, 3, 1, 2).contiguous()
