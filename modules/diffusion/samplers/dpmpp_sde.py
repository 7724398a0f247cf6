"""DPM-Solver++ for the stochastic equation; the noise is that of a Brownian path.

Source for all: Lu et al. (2022), arXiv:2211.01095, and k-diffusion. lambda = -log(sigma), h = lambda_next - lambda.
"""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, ancestral, at, on_cpu, sampler


def there_and_back(sigmas: Tensor) -> tuple[list[float], list[float]]:
    """(the levels, those halfway between neighbours in log(sigma)).

    Single precision and in k-diffusion's order of operations: a Brownian path is rough enough to show the last digits.
    """
    times = -sigmas.cpu().float().log()
    return on_cpu((-times).exp()), on_cpu((-(times[:-1] + (times[1:] - times[:-1]) * 0.5)).exp())


@sampler(
    "DPM++ SDE",
    "k_dpmpp_sde",
    accepts=("eta", "s_noise"),
    default_schedule="karras",
    second_order=True,
    brownian=True,
)
def dpmpp_sde(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Ancestral single-step method: a noisy step to the middle, whose denoised latents carry the whole step.

    Order 2 at eta 0. Source: k-diffusion, `sample_dpmpp_sde` with r = 1/2.
    """
    levels, middles = there_and_back(sigmas)
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        middle = middles[i]
        down, up = ancestral(sigma, middle, options.eta)
        halfway = x * (down / sigma) + denoised * (1 - down / sigma)
        if up > 0:
            halfway = halfway + noise(sigma, middle) * (options.s_noise * up)
        denoised = at(denoise, halfway, middle)
        down, up = ancestral(sigma, sigma_next, options.eta)
        x = x * (down / sigma) + denoised * (1 - down / sigma)
        if up > 0:
            x = x + noise(sigma, sigma_next) * (options.s_noise * up)
    return x


def _two_step(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    on_step: OnStep,
    options: SamplerOptions,
    correction: Literal["midpoint", "heun"],
) -> Tensor:
    levels = on_cpu(sigmas)
    previous, last_h = None, 0.0
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        eta_h = options.eta * h
        share = -math.expm1(-h - eta_h)
        x = x * (sigma_next / sigma * math.exp(-eta_h)) + denoised * share
        if previous is not None:
            weight = share / 2 if correction == "midpoint" else 1 - share / (h + eta_h)
            x = x + (denoised - previous) * (weight * h / last_h)
        if options.eta:
            up = sigma_next * math.sqrt(-math.expm1(-2 * eta_h))
            x = x + noise(sigma, sigma_next) * (options.s_noise * up)
        previous, last_h = denoised, h
    return x


@sampler("DPM++ 2M SDE", "k_dpmpp_2m_sde", accepts=("eta", "s_noise"), default_schedule="exponential", brownian=True)
def dpmpp_2m_sde(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Two-step multistep method for the SDE. Order 2 at eta 0. Source: k-diffusion, with the midpoint correction."""
    return _two_step(denoise, x, sigmas, noise, on_step, options, "midpoint")


@sampler(
    "DPM++ 2M SDE Heun",
    "k_dpmpp_2m_sde_heun",
    accepts=("eta", "s_noise"),
    default_schedule="exponential",
    brownian=True,
)
def dpmpp_2m_sde_heun(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Two-step multistep method for the SDE. Order 2 at eta 0. Source: k-diffusion, with Heun's correction."""
    return _two_step(denoise, x, sigmas, noise, on_step, options, "heun")


@sampler(
    "DPM++ 3M SDE",
    "k_dpmpp_3m_sde",
    accepts=("eta", "s_noise"),
    default_schedule="exponential",
    discard_penultimate=True,
    brownian=True,
)
def dpmpp_3m_sde(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Three-step multistep method for the SDE. Source: k-diffusion, `sample_dpmpp_3m_sde`.

    Order 2 at eta 0, not 3: there the curvature counts half of what the integral asks, and old seeds depend on it.
    """
    levels = on_cpu(sigmas)
    past: list[tuple[Tensor, float]] = []  # (denoised, h) of the steps before, the latest first
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        h = math.log(sigma / sigma_next)
        h_eta = h * (1 + options.eta)
        x = x * math.exp(-h_eta) - denoised * math.expm1(-h_eta)
        phi_2 = math.expm1(-h_eta) / h_eta + 1
        if len(past) == 2:
            (before, h_1), (earlier, h_2) = past
            r0, r1 = h_1 / h, h_2 / h
            near, far = (denoised - before) / r0, (before - earlier) / r1
            bend = (near - far) / (r0 + r1)
            x = x + (near + bend * r0) * phi_2 - bend * (phi_2 / h_eta - 0.5)
        elif past:
            before, h_1 = past[0]
            x = x + (denoised - before) * (phi_2 * h / h_1)
        if options.eta:
            up = sigma_next * math.sqrt(-math.expm1(-2 * h * options.eta))
            x = x + noise(sigma, sigma_next) * (options.s_noise * up)
        past = [(denoised, h), *past[:1]]
    return x
