"""Schedules that pick from the levels the network was trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from modules.diffusion.levels import NoiseLevels
from modules.diffusion.schedule import ending_in_zero, schedule


@schedule("Uniform", "uniform", needs=("levels",))
def uniform(steps: int, sigma_min: float, sigma_max: float, *, levels: NoiseLevels) -> Tensor:
    """Levels evenly spaced over the whole table, then 0. Shape (steps + 1,). The bounds are not looked at."""
    return ending_in_zero(levels.sigma(torch.linspace(len(levels) - 1, 0, steps)))


@schedule("SGM Uniform", "sgm_uniform", "SGMUniform", needs=("levels",))
def sgm_uniform(steps: int, sigma_min: float, sigma_max: float, *, levels: NoiseLevels) -> Tensor:
    """Levels evenly spaced from sigma_max towards sigma_min, which itself is left out; then 0. Shape (steps + 1,).

    Source: Stability AI generative-models, `LegacyDDPMDiscretization`.
    """
    start, end = levels.index(torch.tensor([sigma_max, sigma_min])).tolist()
    return ending_in_zero(levels.sigma(torch.linspace(start, end, steps + 1)[:-1]))


@schedule("Normal", "normal", needs=("levels",))
def normal(steps: int, sigma_min: float, sigma_max: float, *, levels: NoiseLevels) -> Tensor:
    """Levels evenly spaced from sigma_max to sigma_min, then 0. Shape (steps + 1,)."""
    start, end = levels.index(torch.tensor([sigma_max, sigma_min])).tolist()
    return ending_in_zero(levels.sigma(torch.linspace(start, end, steps)))


@schedule("Simple", "simple", needs=("levels",))
def simple(steps: int, sigma_min: float, sigma_max: float, *, levels: NoiseLevels) -> Tensor:
    """Every (N / steps)-th level counted from the noisiest, then 0. Shape (steps + 1,)."""
    stride = len(levels) / steps
    return ending_in_zero(levels.sigmas[[-(1 + int(step * stride)) for step in range(steps)]])


@schedule("DDIM", "ddim", needs=("levels",))
def ddim(steps: int, sigma_min: float, sigma_max: float, *, levels: NoiseLevels) -> Tensor:
    """Levels 1, 1 + k, 1 + 2k … with k = N // steps, falling, then 0; rounding may make them more (15 -> 16)."""
    return ending_in_zero(levels.sigmas[1 :: max(len(levels) // steps, 1)].flip(0))


@schedule("Turbo", "turbo", needs=("levels",))
def turbo(steps: int, sigma_min: float, sigma_max: float, *, levels: NoiseLevels) -> Tensor:
    """Levels N·k/steps - 1 for k = steps … 1, then 0: those that turbo models were distilled at. Shape (steps + 1,).

    Source: Sauer et al. (2023), arXiv:2311.17042; as in SD Turbo's reference workflow.
    """
    positions = (torch.arange(steps, 0, -1) * (len(levels) / steps) - 1).round().long().clamp(0, len(levels) - 1)
    return ending_in_zero(levels.sigmas[positions])
