"""Restart: goes back up to a noisier level now and then, and down again."""

from __future__ import annotations

import math

from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.samplers.heun import heun_step
from modules.diffusion.schedules.power import karras
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, at, on_cpu, sampler

# From the level nearest to LOW back up to the one nearest to HIGH.
LOW, HIGH = 0.1, 2.0


def restart_levels(levels: list[float]) -> list[tuple[float, float]]:
    """The steps (from, to) that are walked instead of `levels`; a step that begins above the end of the one before
    means: go back up. Under 20 steps there is no restart."""
    steps = len(levels) - 1
    if steps < 20:
        return list(zip(levels, levels[1:], strict=False))
    length, times = (steps // 4, 2) if steps >= 36 else (9, 1)
    base: list[float] = karras.build(steps - length * times, levels[-2], levels[0]).tolist()
    low = min(range(len(base)), key=lambda index: abs(base[index] - LOW))
    high = min(range(len(base)), key=lambda index: abs(base[index] - HIGH))
    walked: list[tuple[float, float]] = []
    for index in range(len(base) - 1):
        walked.append((base[index], base[index + 1]))
        if index + 1 == low and high < low:
            again: list[float] = karras.build(length + 1, base[low], base[high]).tolist()[:-1]
            walked += list(zip(again, again[1:], strict=False)) * times
    return walked


@sampler("Restart", "restart", default_schedule="karras", second_order=True, renoises=True)
def restart(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Heun's method; from 20 steps on, part of the steps repeat the levels from 2 to 0.1 after fresh noise. Order 2
    below 20 steps. Source: Xu et al. (2023), arXiv:2306.14878."""
    walked = restart_levels(on_cpu(sigmas))
    reached = walked[0][0] if walked else 0.0
    for i, (sigma, sigma_next) in enumerate(walked):
        if reached < sigma:
            x = x + noise(reached, sigma) * math.sqrt(sigma**2 - reached**2)
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(walked), sigma, denoised))
        x = heun_step(denoise, x, (x - denoised) / sigma, sigma, sigma_next)
        reached = sigma_next
    return x
