"""One sampling run."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.exploding import walk_exploding
from modules.diffusion.levels import FlowLevels, sigma_of
from modules.diffusion.noise import ImageNoise
from modules.diffusion.route import Route
from modules.diffusion.walk import OnStep, SamplerOptions, StepNoise, Walk, unwatched


@torch.no_grad()
def sample(
    route: Route,
    denoise: Denoiser,
    x: Tensor,
    noise: ImageNoise,
    options: SamplerOptions,
    *,
    on_step: OnStep = unwatched,
    shared_path: bool = False,
) -> Tensor:
    """The latents at the end of `route`, (B, C, H, W).

    Args:
        x: what `route.begin` gave. noise: the batch's streams, their first noise drawn.
        shared_path: one Brownian path for the whole batch, see `ImageNoise.brownian`.

    Raises: whatever `on_step` raises; the caller then keeps the denoised latents of the last step.
    """
    bounds = route.bounds
    walk: Walk = route.sampler.walk
    if isinstance(route.levels, FlowLevels) and route.sampler.adds_noise(options):
        low, high = sigma_of(torch.tensor(bounds, dtype=torch.float64)).tolist()
        bounds, walk = (low, high), partial(walk_exploding, route.sampler)
    step_noise = noise_within(bounds, noise, shared_path=shared_path) if route.sampler.brownian else unbound(noise)
    return walk(denoise, x, route.sigmas, noise=step_noise, on_step=on_step, options=options)


def noise_within(bounds: tuple[float, float], noise: ImageNoise, *, shared_path: bool = False) -> StepNoise:
    """Noise of a Brownian path over the levels from the lowest to the highest."""
    low, high = bounds
    return noise.brownian(low, high, shared=shared_path) if high > low else unbound(noise)


def unbound(noise: ImageNoise) -> StepNoise:
    """Fresh noise from the pictures' streams for every step."""
    return lambda sigma, sigma_next: noise.next()
