"""How large the hires pass draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.terms.errors import BadRequest

if TYPE_CHECKING:
    from modules.terms.request import Hires

MIN_SIDE = 64
MAX_SIDE = 16384


@dataclass(frozen=True)
class Target:
    """The size to enlarge to, the size that remains, and how many latents are cut off in all on each axis."""

    enlarged: tuple[int, int]
    size: tuple[int, int]
    cut_x: int = 0
    cut_y: int = 0


def target_of(hires: Hires, width: int, height: int) -> Target:
    """Where a first pass of `width` x `height` goes. One side given: the other follows. Both: cover, then cut."""
    if not hires.resize_x and not hires.resize_y:
        size = int(width * hires.scale), int(height * hires.scale)
        return Target(size, size)
    if not hires.resize_y:
        size = hires.resize_x, hires.resize_x * height // width
        return Target(size, size)
    if not hires.resize_x:
        size = hires.resize_y * width // height, hires.resize_y
        return Target(size, size)
    wanted = hires.resize_x, hires.resize_y
    if width / height < wanted[0] / wanted[1]:
        enlarged = wanted[0], wanted[0] * height // width
    else:
        enlarged = wanted[1] * width // height, wanted[1]
    return Target(enlarged, wanted, (enlarged[0] - wanted[0]) // 8, (enlarged[1] - wanted[1]) // 8)


def check_size(hires: Hires, width: int, height: int) -> Target:
    """`target_of`. Raises: BadRequest if a side of it is too small or too large to be drawn."""
    given = abs(hires.scale) < MAX_SIDE and max(abs(hires.resize_x), abs(hires.resize_y)) <= MAX_SIDE
    if given:
        target = target_of(hires, width, height)
        sides = (*target.enlarged, *target.size)
        if min(sides) >= MIN_SIDE and max(sides) <= MAX_SIDE:
            return target
    asked = f"{hires.resize_x}x{hires.resize_y}" if hires.resize_x or hires.resize_y else f"{hires.scale:g}-fold"
    raise BadRequest(
        f"Hires fix cannot draw {width}x{height} as {asked}: a side has {MIN_SIDE} pixels at least and "
        f"{MAX_SIDE} at most."
    )
