"""The random numbers of an NVIDIA card, computed anywhere: Philox 4x32-10 and Box-Muller as in CUDA's `torch.randn`.

Source: Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Words = NDArray[np.uint64]

ROUNDS = 10
MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW_WORD = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)
# 2^-32 and 2^-32 * 2 pi in single precision, as CUDA has them; the arithmetic around them is double.
TO_UNIT = float(np.float32(2.3283064e-10))
TO_CIRCLE = float(np.float32(2.3283064e-10 * 6.2831855))


class PhiloxGenerator:
    """A stream of standard normal numbers; call number n gives what CUDA's n-th `torch.randn` gives."""

    def __init__(self, seed: int) -> None:
        self.seed = seed & 0xFFFFFFFFFFFFFFFF
        self.calls = 0

    def randn(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers, float32 on the CPU, and one step further in the stream."""
        first, second = _philox(self.seed, self.calls, int(np.prod(shape)))
        self.calls += 1
        radius = np.sqrt(-2.0 * np.log(first * TO_UNIT + TO_UNIT / 2))
        normal = radius * np.sin(second * TO_CIRCLE + TO_CIRCLE / 2)
        return torch.from_numpy(normal.astype(np.float32)).reshape(shape)


def _philox(seed: int, call: int, count: int) -> tuple[Words, Words]:
    """The first two of the four words for elements 0 … count - 1 of call number `call`."""
    c0 = np.full(count, call & 0xFFFFFFFF, dtype=np.uint64)
    c1 = np.zeros(count, dtype=np.uint64)
    c2 = np.arange(count, dtype=np.uint64)
    c3 = np.zeros(count, dtype=np.uint64)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(ROUNDS):
        left, right = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (right >> SHIFT) ^ c1 ^ np.uint64(k0),
            right & LOW_WORD,
            (left >> SHIFT) ^ c3 ^ np.uint64(k1),
            left & LOW_WORD,
        )
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return c0, c1
