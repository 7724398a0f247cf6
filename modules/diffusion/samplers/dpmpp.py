"""DPM-Solver++: exponential integrators of the denoised latents over log(sigma). Deterministic and ancestral ones.

Source for all: Lu et al. (2022), arXiv:2211.01095. lambda = -log(sigma), h = lambda_next - lambda.
"""

from __future__ import annotations

import math

from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, ancestral, at, on_cpu, sampler


@sampler("DPM++ 2M", "k_dpmpp_2m", default_schedule="karras")
def dpmpp_2m(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Two-step multistep method; the first step and a step to 0 are of first order. Order 2."""
    levels = on_cpu(sigmas)
    previous, last_h = None, 0.0
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        ahead = denoised if previous is None else denoised + (denoised - previous) * (h / (2 * last_h))
        x = x * (sigma_next / sigma) - ahead * math.expm1(-h)
        previous, last_h = denoised, h
    return x


@sampler(
    "DPM++ 2S a",
    "k_dpmpp_2s_a",
    accepts=("eta", "s_noise"),
    default_schedule="karras",
    uses_ensd=True,
    second_order=True,
)
def dpmpp_2s_ancestral(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Single-step method with a look halfway, below the next level; then noise up to it. Order 2 at eta 0."""
    levels = on_cpu(sigmas)
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        sigma_down, sigma_up = ancestral(sigma, sigma_next, options.eta)
        if sigma_down == 0:
            x = denoised
        else:
            middle = math.sqrt(sigma * sigma_down)
            halfway = x * (middle / sigma) + denoised * (1 - middle / sigma)
            x = x * (sigma_down / sigma) + at(denoise, halfway, middle) * (1 - sigma_down / sigma)
        if sigma_up > 0:
            x = x + noise(sigma, sigma_next) * (options.s_noise * sigma_up)
    return x
