"""Euler's method, with and without noise on the way."""

from __future__ import annotations

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


@sampler("Euler a", "k_euler_a", "k_euler_ancestral", accepts=("eta",), uses_ensd=True)
def euler_ancestral(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Euler's method below the next level, then noise up to it. Order 1 at eta 0.

    Source: k-diffusion, `sample_euler_ancestral`; at eta 1 the posterior of Ho et al. (2020), arXiv:2006.11239.
    """
    levels = on_cpu(sigmas)
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        sigma_down, sigma_up = ancestral(sigma, sigma_next, options.eta)
        x = x + (x - denoised) * ((sigma_down - sigma) / sigma)
        if sigma_up > 0:
            x = x + noise(sigma, sigma_next) * sigma_up
    return x


@sampler("Euler", "k_euler", accepts=("s_churn", "s_noise"))
def euler(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Euler's method. Order 1. Source: Karras et al. (2022), arXiv:2206.00364, algorithm 2 without the correction."""
    levels = on_cpu(sigmas)
    steps = len(levels) - 1
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        x, raised = churned(x, sigma, steps, noise, options)
        denoised = at(denoise, x, raised)
        on_step(StepInfo(i, steps, sigma, denoised))
        x = x + (x - denoised) * ((sigma_next - raised) / raised)
    return x
