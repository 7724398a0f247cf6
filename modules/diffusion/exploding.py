"""Flow models for samplers that add noise on the way: the latents with the signal at its full size.

A flow model's latent is x = (1 - s) * clean + s * noise. Divided by 1 - s it is clean + sigma * noise with
sigma = s / (1 - s): what every sampler of this room walks on. Solvers of the ODE need no such change, for dx/ds has the
same form in both; adding noise has not. Source: Karras et al. (2022), arXiv:2206.00364, section 2 (scaled processes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.levels import NoiseLevels, sigma_of
from modules.diffusion.walk import OnStep, Sampler, SamplerOptions, StepInfo, StepNoise


def exploding_levels(levels: NoiseLevels) -> NoiseLevels:
    """A flow model's levels as noise levels; timesteps stay."""
    sigmas = sigma_of(levels.sigmas)
    return NoiseLevels(sigmas, levels.timesteps, torch.empty(0), sigmas.log())


@dataclass
class Exploding:
    """A flow model's Denoiser, asked with noise levels instead of shares of noise."""

    inner: Denoiser

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        """See `Denoiser`."""
        return self.inner(x / (1 + sigma).view(-1, 1, 1, 1), sigma / (1 + sigma), timestep=timestep)

    @property
    def uncond(self) -> Tensor | None:
        """What the negative prompt alone made of the last call: clean latents are the same in both."""
        negative = getattr(self.inner, "uncond", None)
        return negative if isinstance(negative, Tensor) else None


def walk_exploding(
    sampler: Sampler,
    denoise: Denoiser,
    x: Tensor,
    shares: Tensor,
    *,
    noise: StepNoise,
    on_step: OnStep,
    options: SamplerOptions,
) -> Tensor:
    """The latents at the end of a flow model's route, by a sampler that adds noise. shares: (n + 1,), falling to 0.

    `on_step` hears shares of noise, as the model counts.
    """
    sigmas = sigma_of(shares.double())

    def tell(step: StepInfo) -> None:
        on_step(replace(step, sigma=step.sigma / (1 + step.sigma)))

    end = sampler.walk(
        Exploding(denoise),
        x * float(1 + sigmas[0]),
        sigmas.float(),
        noise=noise,
        on_step=tell,
        options=replace(options, levels=exploding_levels(options.levels)),
    )
    return end / float(1 + sigmas[-1])
