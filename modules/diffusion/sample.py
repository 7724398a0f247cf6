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
    shared_path: bool = False,
) -> Tensor:
    """The latents at the end of `route`, (B, C, H, W).

    Args:
        x: what `route.begin` gave. noise: the batch's streams, their first noise drawn.
        shared_path: one Brownian path for the whole batch, see `ImageNoise.brownian`.

    Raises: whatever `on_step` raises; the caller then keeps the denoised latents of the last step.
    """
    return route.sampler.walk(
        denoise,
        x,
        route.sigmas,
        noise=step_noise(route, noise, shared_path=shared_path),
        on_step=on_step,
        options=options,
    )


def step_noise(route: Route, noise: ImageNoise, *, shared_path: bool = False) -> Callable[[float, float], Tensor]:
    """Where the route's sampler takes its noise from: a Brownian path, or the streams of the pictures."""
    if route.sampler.brownian:
        low, high = route.bounds
        return noise.brownian(low, high, shared=shared_path) if high > low else lambda sigma, sigma_next: noise.next()
    return lambda sigma, sigma_next: noise.next()
