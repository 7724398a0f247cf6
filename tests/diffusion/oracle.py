"""A denoiser that is right: for data N(mean, spread²) everything about it is known in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from modules.diffusion.levels import NoiseLevels


@dataclass
class GaussianOracle:
    """`D(x, sigma)` of data N(mean, spread²), and the exact end of the path that starts at x."""

    mean: float = 0.4
    spread: float = 0.8
    calls: int = 0

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        self.calls += 1
        level = sigma.view(-1, 1, 1, 1)
        return (self.spread**2 * x + level**2 * self.mean) / (self.spread**2 + level**2)

    def exact(self, start: float, sigma: float, sigma_end: float) -> float:
        """Where the probability-flow ODE carries `start` from level `sigma` to level `sigma_end`."""
        shrink = math.sqrt((self.spread**2 + sigma_end**2) / (self.spread**2 + sigma**2))
        return self.mean + (start - self.mean) * shrink


def falling(steps: int, first: float = 8.0, last: float = 0.2, *, power: float = 1.0) -> Tensor:
    """(steps + 1,) float64 levels, even in log(sigma); a power above 1 makes the first steps short."""
    ramp = torch.linspace(0, 1, steps + 1, dtype=torch.float64) ** power
    return (math.log(first) + ramp * (math.log(last) - math.log(first))).exp()


def fine_levels(count: int = 20001, first: float = 0.2, last: float = 8.0) -> NoiseLevels:
    """A table so fine that whole timesteps are nearly continuous; float64, smooth, not even in anything."""
    ramp = torch.linspace(0, 1, count, dtype=torch.float64)
    bumpy = ramp + 0.05 * torch.sin(3 * ramp)
    sigmas = (math.log(first) + bumpy / bumpy[-1] * (math.log(last) - math.log(first))).exp()
    return NoiseLevels(sigmas, torch.arange(count, dtype=torch.float32), 1 / (1 + sigmas**2), sigmas.log())
