"""DDIM and its kin: walks over whole timesteps of the training schedule, as the first Stable Diffusion had them.

Inside, latents are x = sqrt(a) * clean + sqrt(1 - a) * noise, a being alphas_cumprod; `scaled` goes there and
`Timesteps.eps` asks the denoiser, which thinks in x / sqrt(a). What comes back is the latent at the last timestep as it
stands: A1111 decodes that. The lowest timestep of the list is never evaluated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.levels import NoiseLevels
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, on_cpu, sampler, unguided


def scaled(x: Tensor, sigma: float) -> Tensor:
    """`x` = clean + sigma * noise, brought to unit variance."""
    return x / math.sqrt(1 + sigma**2)


@dataclass(frozen=True)
class Timesteps:
    """The timesteps of one walk, falling, with their alphas_cumprod."""

    steps: list[int]
    alphas: list[float]

    @classmethod
    def of(cls, sigmas: Tensor, levels: NoiseLevels) -> Timesteps:
        """The timesteps whose levels are sigmas[1:]."""
        indices = levels.nearest(sigmas[1:].cpu())
        return cls(indices.tolist(), levels.alphas_cumprod[indices].double().tolist())

    def eps(self, denoise: Denoiser, x: Tensor, index: int) -> tuple[Tensor, Tensor]:
        """(the noise that guidance and network see in unit-variance `x`, the denoised latents)."""
        sigma = math.sqrt(1 / self.alphas[index] - 1)
        noisy = x * math.sqrt(1 + sigma**2)
        denoised = denoise(
            noisy, x.new_full((len(x),), sigma), timestep=x.new_full((len(x),), self.steps[index], dtype=torch.float32)
        )
        return (noisy - denoised) / sigma, denoised

    def clean(self, x: Tensor, eps: Tensor, index: int) -> Tensor:
        """The clean latent in unit-variance `x` whose noise is `eps`."""
        alpha = self.alphas[index]
        return (x - eps * math.sqrt(1 - alpha)) / math.sqrt(alpha)


def _ddim(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    options: SamplerOptions,
    *,
    renoise_unguided: bool,
) -> Tensor:
    walk = Timesteps.of(sigmas, options.levels)
    x = scaled(x, on_cpu(sigmas)[0])
    total = len(walk.steps) - 1
    for i in range(total):
        alpha, alpha_next = walk.alphas[i], walk.alphas[i + 1]
        eps, denoised = walk.eps(denoise, x, i)
        sigma = math.sqrt(1 / alpha - 1)
        on_step(StepInfo(i, total, sigma, denoised))
        direction = eps
        if renoise_unguided:
            direction = (x * math.sqrt(1 + sigma**2) - unguided(denoise, denoised)) / sigma
        up = options.eta * math.sqrt((1 - alpha_next) / (1 - alpha) * (1 - alpha / alpha_next))
        clean = walk.clean(x, eps, i)
        x = clean * math.sqrt(alpha_next) + direction * math.sqrt(max(1 - alpha_next - up**2, 0.0))
        if up > 0:
            x = x + noise(sigma, math.sqrt(1 / alpha_next - 1)) * up
    return x


@sampler("DDIM", "ddim", accepts=("eta",), timestep_family=True)
def ddim(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Order 1 at eta 0. Source: Song et al. (2020), arXiv:2010.02502, eq. 12."""
    return _ddim(denoise, x, sigmas, noise, on_step, options, renoise_unguided=False)


@sampler("DDIM CFG++", "ddim_cfgpp", accepts=("eta",), timestep_family=True, guidance_multiplier=1 / 12.5)
def ddim_cfgpp(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """DDIM that goes back to noise in the direction of the negative prompt alone; the CFG scale counts 1/12.5.
    Order 1 at eta 0. Source: Chung et al. (2024), arXiv:2406.08070."""
    return _ddim(denoise, x, sigmas, noise, on_step, options, renoise_unguided=True)


@sampler("PLMS", "plms", timestep_family=True)
def plms(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """DDIM steps along the noise extrapolated from up to four evaluations; the first step looks ahead.

    Source: Liu et al. (2022), arXiv:2202.09778 (PNDM).
    """
    walk = Timesteps.of(sigmas, options.levels)
    x = scaled(x, on_cpu(sigmas)[0])
    past: list[Tensor] = []
    total = len(walk.steps) - 1

    def stepped(eps: Tensor, index: int) -> Tensor:
        alpha_next = walk.alphas[index + 1]
        return walk.clean(x, eps, index) * math.sqrt(alpha_next) + eps * math.sqrt(1 - alpha_next)

    for i in range(total):
        eps, denoised = walk.eps(denoise, x, i)
        on_step(StepInfo(i, total, math.sqrt(1 / walk.alphas[i] - 1), denoised))
        if not past:
            ahead, _ = walk.eps(denoise, stepped(eps, i), i + 1)
            slope = (eps + ahead) / 2
        elif len(past) == 1:
            slope = (3 * eps - past[0]) / 2
        elif len(past) == 2:
            slope = (23 * eps - 16 * past[0] + 5 * past[1]) / 12
        else:
            slope = (55 * eps - 59 * past[0] + 37 * past[1] - 9 * past[2]) / 24
        x = stepped(slope, i)
        past = [eps, *past[:2]]
    return x
