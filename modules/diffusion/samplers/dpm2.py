"""DPM2: the slope in the middle of the step, halfway in log(sigma)."""

from __future__ import annotations

import math

from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import (
    OnStep,
    SamplerOptions,
    StepInfo,
    StepNoise,
    ancestral,
    at,
    churned,
    on_cpu,
    sampler,
)


def midpoint_step(denoise: Denoiser, x: Tensor, denoised: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """`x` at `sigma_next` along the slope at the geometric mean of both levels; a step to 0 is Euler's."""
    slope = (x - denoised) / sigma
    if sigma_next == 0:
        return x - slope * sigma
    middle = math.sqrt(sigma * sigma_next)
    halfway = x + slope * (middle - sigma)
    return x + (halfway - at(denoise, halfway, middle)) * ((sigma_next - sigma) / middle)


@sampler(
    "DPM2",
    "k_dpm_2",
    accepts=("s_churn", "s_noise"),
    default_schedule="karras",
    discard_penultimate=True,
    second_order=True,
)
def dpm_2(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Midpoint method in log(sigma). Order 2.

    Source: k-diffusion, `sample_dpm_2`; Lu et al. (2022), arXiv:2206.00927 (DPM-Solver-2).
    """
    levels = on_cpu(sigmas)
    steps = len(levels) - 1
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        x, raised = churned(x, sigma, steps, noise, options)
        denoised = at(denoise, x, raised)
        on_step(StepInfo(i, steps, sigma, denoised))
        x = midpoint_step(denoise, x, denoised, raised, sigma_next)
    return x


@sampler(
    "DPM2 a",
    "k_dpm_2_a",
    accepts=("eta", "s_noise"),
    default_schedule="karras",
    discard_penultimate=True,
    uses_ensd=True,
    second_order=True,
)
def dpm_2_ancestral(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """DPM2 below the next level, then noise up to it. Order 2 at eta 0. Source: k-diffusion."""
    levels = on_cpu(sigmas)
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        sigma_down, sigma_up = ancestral(sigma, sigma_next, options.eta)
        x = midpoint_step(denoise, x, denoised, sigma, sigma_down)
        if sigma_down > 0 and sigma_up > 0:
            x = x + noise(sigma, sigma_next) * (options.s_noise * sigma_up)
    return x
