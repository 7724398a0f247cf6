"""What a detector found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Detection:
    """One thing found. `box`: left, top, right, bottom in pixels. `mask` (L, as large as the picture): its outline, if
    the detector knows it. `label`: what it is, "" if the detector has one kind only."""

    box: Box
    confidence: float = 1.0
    mask: Image.Image | None = None
    label: str = ""

    @property
    def area(self) -> int:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


def inside(box: Sequence[float], size: tuple[int, int]) -> Box:
    """left, top, right, bottom in whole pixels within a picture of `size`."""
    left, top, right, bottom = (round(number) for number in box)
    return max(0, left), max(0, top), min(size[0], right), min(size[1], bottom)
