"""Large pictures in overlapping tiles, and tiles back into a picture without seams."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Work = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Span:
    """A tile's place along one side: from `start` to `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Tiling:
    """Rows and columns of tiles over a picture; every tile has the same size."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def boxes(self) -> Iterator[tuple[int, int, int, int]]:
        """(left, top, right, bottom) of each tile, row by row."""
        for row in self.rows:
            for column in self.columns:
                yield column.start, row.start, column.end, row.end


def tiling(width: int, height: int, tile_width: int, tile_height: int, overlap: int) -> Tiling:
    """Tiles over a picture, evenly spread, neighbours sharing at least `overlap` pixels. 0 for a tile means: no tiles.

    Raises: ValueError if the overlap is not smaller than a tile.
    """
    return Tiling(_spans(height, tile_height, overlap), _spans(width, tile_width, overlap))


def _spans(side: int, tile: int, overlap: int) -> tuple[Span, ...]:
    if tile <= 0 or tile >= side:
        return (Span(0, side),)
    if not 0 <= overlap < tile:
        raise ValueError(f"An overlap of {overlap} does not fit a tile of {tile}.")
    count = math.ceil((side - overlap) / (tile - overlap))
    # Whole numbers: in floating point the last tile may end a pixel short of the border.
    starts = [number * (side - tile) // (count - 1) for number in range(count)]
    return tuple(Span(start, start + tile) for start in starts)


def in_tiles(
    image: Image.Image, plan: Tiling, work: Work, done: Callable[[int, int], None] = lambda number, count: None
) -> Image.Image:
    """What `work` makes of each tile, joined; it may enlarge them, all by the same whole or broken factor.

    Where tiles overlap, one fades into the next. One tile is worked on at a time, so memory is that of the result, a
    row of tiles and a tile. `done` hears how many of how many are finished. Raises: what `work` and `done` raise.
    """
    joined: Joined | None = None
    for number, box in enumerate(plan.boxes()):
        tile = work(image.crop(box))
        if joined is None:
            scale = tile.width / (box[2] - box[0]), tile.height / (box[3] - box[1])
            joined = Joined(plan, image.size, scale, len(tile.getbands()))
        joined.add(box, np.asarray(tile))
        done(number + 1, len(plan))
    if joined is None:
        raise ValueError("A tiling has at least one tile.")
    return joined.picture()


class Joined:
    """A picture that grows tile by tile, row by row of tiles: weighted sums of the lines that tiles still touch, and
    finished lines above them."""

    def __init__(self, plan: Tiling, size: tuple[int, int], scale: tuple[float, float], channels: int) -> None:
        self._scale = scale
        width, height = round(size[0] * scale[0]), round(size[1] * scale[1])
        tallest = max(row.end - row.start for row in plan.rows)
        lines = min(height, round(tallest * scale[1]) + 1)
        self._pixels = np.zeros((height, width, channels), np.uint8)
        self._sum = np.zeros((lines, width, channels), np.float32)
        self._weight = np.zeros((lines, width, 1), np.float32)
        self._finished = 0
        self._across = _fades(plan.columns)
        self._down = _fades(plan.rows)

    def add(self, box: tuple[int, int, int, int], tile: NDArray[np.uint8]) -> None:
        """Lay down the tile that was made of `box`. Boxes come from the top downwards."""
        left, top = round(box[0] * self._scale[0]), round(box[1] * self._scale[1])
        self._finish(top)
        height, width = tile.shape[:2]
        height, width = min(height, len(self._pixels) - top), min(width, self._pixels.shape[1] - left)
        across = _ramp(width, *(round(fade * self._scale[0]) for fade in self._across[box[0]]))
        down = _ramp(height, *(round(fade * self._scale[1]) for fade in self._down[box[1]]))
        weight = (down[:, None] * across[None, :])[..., None]
        pixels = tile[:height, :width].reshape(height, width, -1)
        self._sum[:height, left : left + width] += pixels * weight
        self._weight[:height, left : left + width] += weight

    def _finish(self, until: int) -> None:
        """Every tile of the lines above `until` has come."""
        count = min(until, len(self._pixels)) - self._finished
        if count <= 0:
            return
        mean = self._sum[:count] / self._weight[:count]
        self._pixels[self._finished : self._finished + count] = np.rint(mean).clip(0, 255)
        for lines in (self._sum, self._weight):
            rest = len(lines) - count
            lines[:rest] = lines[count:].copy()
            lines[rest:] = 0
        self._finished += count

    def picture(self) -> Image.Image:
        self._finish(len(self._pixels))
        return Image.fromarray(self._pixels[..., 0] if self._pixels.shape[2] == 1 else self._pixels)


def _fades(spans: tuple[Span, ...]) -> dict[int, tuple[int, int]]:
    """Start of each tile -> how many pixels it shares with the one before and the one after."""
    shared = [max(0, before.end - after.start) for before, after in zip(spans, spans[1:], strict=False)]
    return {span.start: (before, after) for span, before, after in zip(spans, [0, *shared], [*shared, 0], strict=True)}


def _ramp(length: int, rise: int, fall: int) -> NDArray[np.float32]:
    """Weights that rise to 1 over `rise` pixels and fall over `fall`; those of two neighbours sum to 1. Never 0."""
    weights = np.ones(length, np.float32)
    rise, fall = min(rise, length), min(fall, length)
    weights[:rise] *= (np.arange(rise, dtype=np.float32) + 0.5) / max(rise, 1)
    weights[length - fall :] *= ((np.arange(fall, dtype=np.float32) + 0.5) / max(fall, 1))[::-1]
    return weights
