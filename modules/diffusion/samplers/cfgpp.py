"""CFG++: the guided latents say what the picture is, the negative prompt alone says where its noise lies.

The CFG scale counts 1/12.5 here, as A1111 has it for DDIM CFG++: these methods want about 0 to 1, and so one slider
serves all samplers. Source for all: Chung et al. (2024), arXiv:2406.08070.
"""

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
    on_cpu,
    sampler,
    unguided,
)

GUIDANCE = 1 / 12.5


@sampler("Euler CFG++", "euler_cfgpp", "k_euler_cfg_pp", accepts=("s_churn", "s_noise"), guidance_multiplier=GUIDANCE)
def euler_cfgpp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Euler's method with the noise of the negative prompt. Order 1."""
    return _euler(denoise, x, sigmas, noise, on_step, options, eta=0.0)


@sampler(
    "Euler a CFG++",
    "euler_a_cfgpp",
    "k_euler_ancestral_cfg_pp",
    accepts=("eta", "s_noise"),
    uses_ensd=True,
    guidance_multiplier=GUIDANCE,
)
def euler_ancestral_cfgpp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Euler a with the noise of the negative prompt. Order 1 at eta 0."""
    return _euler(denoise, x, sigmas, noise, on_step, options, eta=options.eta)


def _euler(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    options: SamplerOptions,
    *,
    eta: float,
) -> Tensor:
    levels = on_cpu(sigmas)
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        down, up = ancestral(sigma, sigma_next, eta)
        x = denoised + (x - unguided(denoise, denoised)) * (down / sigma)
        if up > 0:
            x = x + noise(sigma, sigma_next) * (options.s_noise * up)
    return x


@sampler(
    "DPM++ 2M CFG++",
    "dpmpp_2m_cfgpp",
    "k_dpmpp_2m_cfg_pp",
    default_schedule="karras",
    guidance_multiplier=GUIDANCE,
)
def dpmpp_2m_cfgpp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """DPM++ 2M with the noise of the negative prompt, whose last latents stand for the curvature. Order 2."""
    levels = on_cpu(sigmas)
    previous, last_h = None, 0.0
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        negative, h = unguided(denoise, denoised), math.log(sigma / sigma_next)
        x = denoised + (x - negative) * (sigma_next / sigma)
        if previous is not None:
            x = x - (denoised - previous) * (math.expm1(-h) * h / (2 * last_h))
        previous, last_h = negative, h
    return x
