"""Schedules that fall evenly in some function of sigma."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from modules.diffusion.schedule import ending_in_zero, schedule


@schedule("Karras", "karras", default_rho=7.0, needs=("rho",))
def karras(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """Noise levels that fall evenly in sigma^(1/rho).

    Returns: (steps + 1,) float32 on the CPU, from sigma_max down to sigma_min, then 0.
    Source: Karras et al. (2022), arXiv:2206.00364, eq. 5.
    """
    ramp = torch.linspace(0, 1, steps)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return ending_in_zero((high + ramp * (low - high)) ** rho)


@schedule("Exponential", "exponential")
def exponential(steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Noise levels that fall evenly in log(sigma), then 0. Shape (steps + 1,)."""
    return ending_in_zero(torch.linspace(math.log(sigma_max), math.log(sigma_min), steps).exp())


@schedule("Polyexponential", "polyexponential", default_rho=1.0, needs=("rho",))
def polyexponential(steps: int, sigma_min: float, sigma_max: float, rho: float = 1.0) -> Tensor:
    """Noise levels whose log falls as a power `rho` of the way left, then 0. Shape (steps + 1,)."""
    ramp = torch.linspace(1, 0, steps) ** rho
    return ending_in_zero((ramp * (math.log(sigma_max) - math.log(sigma_min)) + math.log(sigma_min)).exp())
