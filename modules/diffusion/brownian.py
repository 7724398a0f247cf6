"""Brownian motion over noise levels: the same path whatever points of it are asked for, and in whatever order.

The path lives on a binary tree over [low, high]: every node splits its interval in the middle and knows how much the
motion rises in each half. The numbers are those of torchsde's `BrownianTree` (a test compares them), which SDE samplers
of A1111 draw from; torchsde itself would need its module-wide random function replaced, and ends in a RecursionError
when two levels lie closer than its tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

DIGITS = 6  # times are rounded to 1e-6, torchsde's default tolerance
POOL_SIZE = 24  # of the seed sequence, torchsde's default

SeededNoise = Callable[[int], Tensor]
Node = tuple[int, int]  # depth, position from the left


class BrownianPath:
    """One Brownian motion. `randn(seed)` gives standard normal numbers of the path's shape."""

    def __init__(self, low: float, high: float, entropy: int, randn: SeededNoise) -> None:
        self.low, self.high = round(low, DIGITS), round(high, DIGITS)
        self.entropy = entropy
        self.randn = randn
        seed = np.random.SeedSequence(entropy=entropy, pool_size=POOL_SIZE).generate_state(1)[0]
        self._root = randn(int(seed)) * math.sqrt(high - low)
        self._rises: dict[Node, Tensor] = {}
        self._previous: dict[Node, Tensor] = {}

    def __call__(self, start: float, end: float) -> Tensor:
        """How much the motion rises from `start` to `end`; times outside the interval are clamped to it."""
        start = round(min(max(start, self.low), self.high), DIGITS)
        end = round(min(max(end, self.low), self.high), DIGITS)
        if start >= end:
            return torch.zeros_like(self._root)
        # Samplers walk steadily: the nodes of the last question are the ones that the next one meets again.
        self._previous, self._rises = self._rises, {}
        parts = list(self._parts((0, 0), self.low, self.high, self._root, start, end))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def _parts(self, node: Node, low: float, high: float, rise: Tensor, start: float, end: float) -> Sequence[Tensor]:
        """The rises of the largest tree intervals that make up [start, end], from left to right."""
        if start == low and end == high:
            return [rise]
        middle = round(0.5 * (high + low), DIGITS)
        depth, position = node
        left_node, right_node = (depth + 1, 2 * position), (depth + 1, 2 * position + 1)
        left = self._left_rise(node, left_node, low, middle, high, rise)
        parts: list[Tensor] = []
        if start < middle:
            parts += self._parts(left_node, low, middle, left, start, min(end, middle))
        if end > middle:
            parts += self._parts(right_node, middle, high, rise - left, max(start, middle), end)
        return parts

    def _left_rise(self, node: Node, key: Node, low: float, middle: float, high: float, rise: Tensor) -> Tensor:
        """The rise over the left half of `node`: a Brownian bridge between its ends."""
        kept = self._rises.get(key)
        if kept is None:
            kept = self._previous.get(key)
        if kept is None:
            depth, position = node
            sequence = np.random.SeedSequence(entropy=self.entropy, spawn_key=(position, depth), pool_size=POOL_SIZE)
            part, rest, per_unit = middle - low, high - middle, 1 / (high - low)
            spread = math.sqrt(part * rest * per_unit)
            kept = part * rise * per_unit + spread * self.randn(int(sequence.generate_state(1)[0]))
        self._rises[key] = kept
        return kept


class BrownianNoise:
    """Unit noise between two noise levels, one independent path for every picture of a batch."""

    def __init__(self, seeds: Sequence[int], sigma_min: float, sigma_max: float, randn: SeededNoise) -> None:
        self.paths = [BrownianPath(sigma_min, sigma_max, seed, randn) for seed in seeds]

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """(B, C, H, W): the rise of each path from `sigma` to `sigma_next`, divided by its standard deviation."""
        low, high = min(sigma, sigma_next), max(sigma, sigma_next)
        sign = 1.0 if sigma <= sigma_next else -1.0
        rises = torch.stack([path(low, high) for path in self.paths])
        return rises * (sign / math.sqrt(high - low)) if high > low else torch.zeros_like(rises)
