"""Samplers for models that were distilled to jump to the clean latent in one step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, at, on_cpu, sampler

LCM_LEVELS = 50
SIGMA_DATA = 0.5
TIMESTEP_SCALING = 10.0


@sampler("LCM", "k_lcm", trained_levels=LCM_LEVELS, renoises=True)
def lcm(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Jumps to the clean latent and takes fresh noise of the next level. The network sees only the 50 timesteps that
    latent consistency models are distilled at.

    Source: Luo et al. (2023), arXiv:2310.04378; boundary conditions of Song et al. (2023), arXiv:2303.01469.
    """
    trained = options.levels.thinned(LCM_LEVELS)
    levels = on_cpu(sigmas)
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        timestep = float(trained.timestep(torch.tensor([sigma]), quantize=True))
        time = timestep * TIMESTEP_SCALING
        skip, out = SIGMA_DATA**2 / (time**2 + SIGMA_DATA**2), time / math.sqrt(time**2 + SIGMA_DATA**2)
        clean = denoise(x, x.new_full((len(x),), sigma), timestep=x.new_full((len(x),), timestep, dtype=torch.float32))
        denoised = x * skip + clean * out
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        x = denoised + noise(sigma, sigma_next) * sigma_next if sigma_next > 0 else denoised
    return x


@sampler("TCD", "tcd", "k_tcd", accepts=("eta", "s_noise"), default_eta=0.3)
def tcd(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Steps below the next timestep, to (1 - eta) of it, then takes noise up to it. Order 1 at eta 0.

    Source: Zheng et al. (2024), arXiv:2402.19159, algorithm 4 (their gamma is eta here).
    """
    levels = on_cpu(sigmas)
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        below = sigma_next
        if options.eta > 0:
            index = options.levels.index(torch.tensor([sigma_next])) * (1 - options.eta)
            below = min(float(options.levels.sigma(index.floor())), sigma_next) if options.eta < 1 else 0.0
        x = denoised + (x - denoised) * (below / sigma)
        if below < sigma_next:
            x = x + noise(sigma, sigma_next) * (options.s_noise * math.sqrt(sigma_next**2 - below**2))
    return x
