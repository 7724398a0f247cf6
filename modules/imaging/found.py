"""Masks of things found in a picture, one for each: chosen, in order, grown, moved, joined.

The steps and their order are those of the ADetailer extension for A1111.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageOps

from modules.terms.detail import CENTRE_TO_EDGE, LARGE_TO_SMALL, LEFT_TO_RIGHT

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Finding:
    """`mask` (L, as large as the picture) is white where it is."""

    box: Box
    mask: Image.Image
    confidence: float = 1.0

    @property
    def area(self) -> int:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


def box_mask(size: tuple[int, int], box: Box) -> Image.Image:
    """White inside `box`; its right and bottom are the first pixels outside."""
    mask = Image.new("L", size)
    left, top, right, bottom = box
    if right > left and bottom > top:
        ImageDraw.Draw(mask).rectangle((left, top, right - 1, bottom - 1), fill=255)
    return mask


def of_size(found: Sequence[Finding], size: tuple[int, int], smallest: float, largest: float) -> list[Finding]:
    """Those whose box covers between two shares of a picture of `size`."""
    area = size[0] * size[1]
    return [one for one in found if smallest <= one.area / area <= largest]


def best(found: Sequence[Finding], most: int, *, by_confidence: bool = False) -> list[Finding]:
    """The `most` largest, or surest, in the order in which they came; all if `most` is 0."""
    if not most or len(found) <= most:
        return list(found)
    ranked = sorted(found, key=lambda one: one.confidence if by_confidence else one.area, reverse=True)[:most]
    return [one for one in found if any(one is kept for kept in ranked)]


def in_order(found: Sequence[Finding], size: tuple[int, int], order: str) -> list[Finding]:
    """`found` in one of ORDERS."""

    def from_centre(one: Finding) -> float:
        x, y = (one.box[0] + one.box[2]) / 2 - size[0] / 2, (one.box[1] + one.box[3]) / 2 - size[1] / 2
        return x * x + y * y

    if order == LEFT_TO_RIGHT:
        return sorted(found, key=lambda one: one.box[0])
    if order == CENTRE_TO_EDGE:
        return sorted(found, key=from_centre)
    if order == LARGE_TO_SMALL:
        return sorted(found, key=lambda one: -one.area)
    return list(found)


def shaped(mask: Image.Image, *, grow: int = 0, right: int = 0, up: int = 0) -> Image.Image:
    """`mask` moved by so many pixels, then grown by a square of `grow` pixels, or shrunk if that is below 0."""
    if right or up:
        moved = Image.new("L", mask.size)
        moved.paste(mask, (right, -up))
        mask = moved
    if not grow:
        return mask
    from scipy.ndimage import maximum_filter, minimum_filter

    change = maximum_filter if grow > 0 else minimum_filter
    return Image.fromarray(change(np.asarray(mask.convert("L")), size=abs(grow), mode="constant", cval=0))


def merged(masks: Sequence[Image.Image], *, invert: bool = False) -> list[Image.Image]:
    """All masks as one, white where any of them is; inverted if so asked. None of none."""
    if not masks:
        return []
    together = masks[0]
    for one in masks[1:]:
        together = ImageChops.lighter(together, one)
    return [ImageOps.invert(together) if invert else together]
