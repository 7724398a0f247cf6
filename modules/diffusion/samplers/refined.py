"""Samplers that get more out of the evaluations they have: of the two latest, one plain and one refined combination."""

from __future__ import annotations

import math

from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, at, on_cpu, sampler


@sampler("DDPM", "ddpm", "k_ddpm", accepts=("s_noise",), uses_ensd=True, renoises=True)
def ddpm(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Draws from the posterior of the step given the clean latents. Source: Ho et al. (2020), arXiv:2006.11239."""
    levels = on_cpu(sigmas)
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        kept = (sigma_next / sigma) ** 2
        x = x * kept + denoised * (1 - kept)
        if sigma_next > 0:
            x = x + noise(sigma, sigma_next) * (options.s_noise * sigma_next * math.sqrt(1 - kept))
    return x


@sampler("Res multistep", "res_multistep", "k_res_multistep")
def res_multistep(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Refined exponential solver, two-step: meets the order conditions that DPM++ 2M meets only in the limit. Order 2.

    Source: Zhang et al. (2023), arXiv:2308.02157, section 4.
    """
    levels = on_cpu(sigmas)
    previous, last_h = None, 0.0
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        phi_1 = -math.expm1(-h) / h
        x = x * math.exp(-h) + denoised * (h * phi_1)
        if previous is not None:
            phi_2 = (1 - phi_1) / h
            x = x + (denoised - previous) * (h * phi_2 * h / last_h)
        previous, last_h = denoised, h
    return x


@sampler("Gradient estimation", "gradient_estimation", "k_gradient_estimation")
def gradient_estimation(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Euler's method along twice the newest slope minus the one before. Order 1.

    Source: Permenter & Yuan (2023), arXiv:2306.04848, with gamma = 2.
    """
    gamma = 2.0
    levels = on_cpu(sigmas)
    previous: Tensor | None = None
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        slope = (x - denoised) / sigma
        step = slope if previous is None else slope * gamma + previous * (1 - gamma)
        x = x + step * (sigma_next - sigma)
        previous = slope
    return x
