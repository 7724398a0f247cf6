"""Extended reverse-time SDE solver: how much noise each level takes is a free function."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, at, on_cpu, sampler

QUADRATURE = np.polynomial.legendre.leggauss(16)


def noise_scale(sigma: float, eta: float) -> float:
    """The authors' choice (their SDE 5) at eta 1; at eta 0 sigma itself, which adds no noise."""
    return float(sigma * (math.exp(sigma**0.3) + 10) ** eta)


def integral(function: Callable[[float], float], start: float, end: float) -> float:
    """Gauss-Legendre quadrature."""
    half, centre = (end - start) / 2, (end + start) / 2
    return (
        sum(float(share) * function(centre + half * float(point)) for point, share in zip(*QUADRATURE, strict=True))
        * half
    )


@sampler("ER SDE", "er_sde", "k_er_sde", accepts=("eta", "s_noise"))
def er_sde(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Taylor steps with the first and second derivative of the denoised latents, both taken from the steps before, and
    noise. Order 2 at eta 0, where it is an ODE solver: the first derivative is that of the middle of the last step.

    Source: Cui et al. (2023), arXiv:2309.06169, algorithm 3.
    """

    def scale(sigma: float) -> float:
        return noise_scale(sigma, options.eta)

    levels = on_cpu(sigmas)
    past: list[Tensor] = []  # denoised, the latest first
    first_before: Tensor | None = None
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        if sigma_next == 0:
            return denoised
        ratio = scale(sigma_next) / scale(sigma)
        x = x * ratio + denoised * (1 - ratio)
        if past:
            reach = integral(lambda level: 1 / scale(level), sigma_next, sigma)
            first = (denoised - past[0]) / (sigma - levels[i - 1])
            x = x + first * (sigma_next - sigma + scale(sigma_next) * reach)
            if first_before is not None:
                moment = integral(lambda level: level / scale(level), sigma_next, sigma) - sigma * reach
                second = 2 * (first - first_before) / (sigma - levels[i - 2])
                x = x + second * ((sigma_next - sigma) ** 2 / 2 + scale(sigma_next) * moment)
            first_before = first
        past = [denoised]
        if options.eta:
            up = math.sqrt(max(sigma_next**2 - sigma**2 * ratio**2, 0.0))
            x = x + noise(sigma, sigma_next) * (options.s_noise * up)
    return x
