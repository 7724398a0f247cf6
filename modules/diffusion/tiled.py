"""A network that sees a large picture through overlapping windows, so that one call needs the memory of one window.

Every call looks through all windows and joins what they say before anything is made of it, so the windows agree at
every step. Source: Bar-Tal et al. (2023), "MultiDiffusion", arXiv:2302.08113.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from modules.diffusion.denoiser import Network
from modules.diffusion.windows import Mosaic, Window, windows

# Networks halve their input three times; windows that begin between two of their cells would be seen differently.
GRID = 8


def silent() -> None:
    """Hears nothing of the windows."""


@dataclass
class WindowPlan:
    """side, overlap: in latents. active: from the first call on; else only once memory has run out, and from then on.

    on_window: called before each window; may raise to stop.
    """

    side: int
    overlap: int
    active: bool = True
    on_window: Callable[[], None] = silent

    def over(self, x: Tensor) -> tuple[Window, ...]:
        """The windows over (B, C, H, W)."""
        return windows(x.shape[-2], x.shape[-1], self.side, min(self.overlap, self.side - 1), GRID)


@runtime_checkable
class Placed(Protocol):
    """A Network that knows more of the picture than it is given, such as what steers it."""

    def through(self, window: Window, size: tuple[int, int]) -> Network:
        """The same network for what shows through `window` of latents of that (height, width)."""
        ...


@dataclass(frozen=True)
class TiledNetwork:
    """A Network: `network`, looking through the windows of `plan`."""

    network: Network
    plan: WindowPlan

    def __call__(
        self, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
    ) -> Tensor:
        """See `Network`. Raises: torch.OutOfMemoryError, MemoryError if not even a window fits."""
        if not self.plan.active:
            try:
                return self.network(x, timestep, cross, vector, extra)
            except (torch.OutOfMemoryError, MemoryError):
                self.plan.active = True
        size = x.shape[-2], x.shape[-1]
        mosaic = Mosaic()
        for window in self.plan.over(x):
            self.plan.on_window()
            network = self.network.through(window, size) if isinstance(self.network, Placed) else self.network
            channels = None if extra is None else window.of(extra)
            mosaic.add(window, network(window.of(x), timestep, cross, vector, channels), size)
        return mosaic.whole()
