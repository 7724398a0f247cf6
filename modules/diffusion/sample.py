"""One sampling run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.noise import ImageNoise
from modules.diffusion.route import Route
from modules.diffusion.walk import OnStep, SamplerOptions, unwatched


@torch.no_grad()
def sample(
    route: Route,
    denoise: Denoiser,
    x: Tensor,
    noise: ImageNoise,
    options: SamplerOptions,
    *,
    on_step: OnStep = unwatched,
) -> Tensor:
    """The latents at the end of `route`, (B, C, H, W).

    Args:
        x: what `route.begin` gave. noise: the batch's streams, their first noise drawn.

    Raises: whatever `on_step` raises; the caller then keeps the denoised latents of the last step.
    """
    return route.sampler.walk(
        denoise, x, route.sigmas, noise=step_noise(route, noise), on_step=on_step, options=options
    )


def step_noise(route: Route, noise: ImageNoise) -> Callable[[float, float], Tensor]:
    """Where the route's sampler takes its noise from: a Brownian path, or the streams of the pictures."""
    if route.sampler.brownian:
        low, high = route.bounds
        return noise.brownian(low, high) if high > low else lambda sigma, sigma_next: noise.next()
    return lambda sigma, sigma_next: noise.next()
