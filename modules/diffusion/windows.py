"""Overlapping windows over a tensor, and what is made of them joined without seams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """One side of a window, [start, end), and how much of it is shared with the neighbours before and after."""

    start: int
    end: int
    before: int = 0
    after: int = 0

    def weights(self, scale: float = 1.0) -> Tensor:
        """1 in the middle, falling evenly over what is shared: those of two neighbours sum to 1. Never 0."""
        length = round((self.end - self.start) * scale)
        weights = torch.ones(length)
        before, after = round(self.before * scale), round(self.after * scale)
        if before:
            weights[:before] *= (torch.arange(before) + 0.5) / before
        if after:
            weights[length - after :] *= ((torch.arange(after) + 0.5) / after).flip(0)
        return weights


@dataclass(frozen=True)
class Window:
    rows: Span
    columns: Span

    def of(self, whole: Tensor) -> Tensor:
        """What (…, H, W) shows through it; shares memory with `whole`."""
        return whole[..., self.rows.start : self.rows.end, self.columns.start : self.columns.end]


def windows(height: int, width: int, side: int, overlap: int, grid: int = 1) -> tuple[Window, ...]:
    """Windows of at most `side` x `side` over (height, width), row by row, neighbours sharing `overlap` or more.

    grid: all but the last of a row or column begin at multiples of it, and never nearer than that to each other.
    Raises: ValueError unless 0 <= overlap < side.
    """
    rows, columns = spans(height, side, overlap, grid), spans(width, side, overlap, grid)
    return tuple(Window(row, column) for row in rows for column in columns)


def spans(length: int, side: int, overlap: int, grid: int = 1) -> list[Span]:
    """As few spans of `side` as cover `length`, evenly spread."""
    if not 0 <= overlap < side:
        raise ValueError(f"An overlap of {overlap} does not fit windows of {side}.")
    if length <= side:
        return [Span(0, length)]
    step = max(grid, (side - overlap) // grid * grid)
    way = math.ceil((length - side) / grid) * grid
    gaps = math.ceil(way / step)
    starts = [min(number * way // gaps // grid * grid, length - side) for number in range(gaps + 1)]
    shared = [0, *(one + side - other for one, other in zip(starts, starts[1:], strict=False)), 0]
    return [Span(start, start + side, *shared[number : number + 2]) for number, start in enumerate(starts)]


class Mosaic:
    """A whole that grows window by window; where windows overlap, one fades into the next.

    scale: how much larger the whole is than what the windows were laid over (8 for pixels from latents).
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._sum: Tensor | None = None
        self._weight: Tensor | None = None

    def add(self, window: Window, piece: Tensor, size: Sequence[int]) -> None:
        """Lays down what was made of `window`, (…, h, w); `size`: (height, width) that the windows lie over."""
        height, width = (round(side * self._scale) for side in size)
        if self._sum is None or self._weight is None:
            self._sum = piece.new_zeros(*piece.shape[:-2], height, width)
            self._weight = piece.new_zeros(height, width)
        top, left = round(window.rows.start * self._scale), round(window.columns.start * self._scale)
        down, across = window.rows.weights(self._scale), window.columns.weights(self._scale)
        weights = (down[:, None] * across[None, :]).to(piece)
        place = (..., slice(top, top + piece.shape[-2]), slice(left, left + piece.shape[-1]))
        self._sum[place] += piece * weights
        self._weight[place] += weights

    def whole(self) -> Tensor:
        """Everything joined. Raises: ValueError if nothing was added."""
        if self._sum is None or self._weight is None:
            raise ValueError("Nothing was laid down.")
        return self._sum.div_(self._weight)
