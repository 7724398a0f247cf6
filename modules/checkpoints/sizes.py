"""SDXL is told how large a picture is, how far it was cropped and how good it is to be: numbers beside the pooled text.

Source: Podell et al. (2023), arXiv:2307.01952, sections 2.2 and 2.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NUMBER_WIDTH = 256  # of the waves that stand for one number
LONGEST_PERIOD = 10_000


@dataclass(frozen=True)
class PictureFacts:
    """What SDXL is told of a picture. crop_top, crop_left: `sdxl_crop_top`, `sdxl_crop_left`; the aesthetic score is
    for refiners alone (`sdxl_refiner_high_aesthetic_score` for prompts, the low one for negative prompts)."""

    width: int
    height: int
    crop_top: int = 0
    crop_left: int = 0
    aesthetic_score: float = 6.0

    def numbers(self, count: int) -> tuple[float, ...]:
        """`count` numbers in the order of the original code: 6 for base models, 5 for refiners."""
        common = (self.height, self.width, self.crop_top, self.crop_left)
        return (*common, self.aesthetic_score) if count == 5 else (*common, self.height, self.width)


def with_facts(pooled: Tensor, facts: PictureFacts, width: int) -> Tensor:
    """The network's second conditioning (`width`,): `pooled` (P,) and the waves of as many numbers as fit."""
    import torch

    count = (width - pooled.shape[-1]) // NUMBER_WIDTH
    return torch.cat([pooled, waves(facts.numbers(count)).to(pooled)])


def waves(numbers: tuple[float, ...]) -> Tensor:
    """Cosines, then sines of each number at frequencies from 1 down to 1 / 10,000: (len(numbers) * 256,) float32."""
    import torch

    half = NUMBER_WIDTH // 2
    frequencies = torch.exp(-math.log(LONGEST_PERIOD) * torch.arange(half, dtype=torch.float32) / half)
    angles = torch.tensor(numbers, dtype=torch.float32)[:, None] * frequencies  # (N, 128)
    return torch.cat([angles.cos(), angles.sin()], dim=-1).flatten()
