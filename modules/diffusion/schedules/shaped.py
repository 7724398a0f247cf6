"""Schedules given by a curve between the bounds."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from modules.diffusion.schedule import ending_in_zero, schedule


@schedule("KL Optimal", "kl_optimal")
def kl_optimal(steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Noise levels that fall evenly in arctan(sigma). Shape (steps + 1,); the last is sigma_min, not 0.

    Source: Sabour et al. (2024), arXiv:2404.14507, section 3.1.
    """
    ramp = torch.arange(steps + 1) / steps
    return torch.tan(ramp * math.atan(sigma_min) + (1 - ramp) * math.atan(sigma_max))


@schedule("Beta", "beta", needs=("beta",))
def beta(steps: int, sigma_min: float, sigma_max: float, alpha: float = 0.6, beta: float = 0.6) -> Tensor:
    """Noise levels at even quantiles of a beta distribution over [sigma_min, sigma_max], then 0. Shape (steps + 1,).

    Linear in sigma, as in A1111 (not in the timestep). Source: Lee et al. (2024), arXiv:2407.12173.
    """
    from scipy.special import betaincinv  # imported for one schedule alone: scipy takes a tenth of a second

    quantiles = 1 - torch.linspace(0, 1, steps, dtype=torch.float64)
    shape = torch.as_tensor(betaincinv(alpha, beta, quantiles.numpy()))
    return ending_in_zero((sigma_min + shape * (sigma_max - sigma_min)).float())


@schedule("Linear-quadratic", "linear_quadratic", "linear quadratic")
def linear_quadratic(steps: int, sigma_min: float, sigma_max: float, threshold: float = 0.025) -> Tensor:
    """Half of the steps fall evenly by `threshold` in all, the rest along a parabola to 0. Shape (steps + 1,).

    Source: Polyak et al. (2024), Movie Gen, arXiv:2410.13720; constants as in Genmo Mochi.
    """
    if steps == 1:
        return torch.tensor([sigma_max, 0.0])
    linear = steps // 2
    curved = steps - linear
    slope = threshold / linear
    # The parabola a·u² + slope·u + threshold, u steps after the bend, reaches 1 at u = curved.
    bend = (1 - threshold - slope * curved) / curved**2
    done = [slope * step for step in range(linear)]
    done += [threshold + slope * u + bend * u**2 for u in range(curved)]
    return ending_in_zero((1 - torch.tensor(done, dtype=torch.float64)) * sigma_max)


@schedule("Laplace", "laplace", absolute=True)
def laplace(steps: int, sigma_min: float, sigma_max: float, centre: float = 0.0, width: float = 0.5) -> Tensor:
    """Noise levels at even quantiles of a Laplace distribution of log(sigma), within the bounds, then 0.

    Shape (steps + 1,). Source: Hang et al. (2024), arXiv:2407.03297.
    """
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    away = 0.5 - ramp
    logs = centre - width * away.sign() * torch.log(1 - 2 * away.abs() + 1e-5)
    return ending_in_zero(logs.exp().clamp(sigma_min, sigma_max))
