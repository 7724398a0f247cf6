"""SA-Solver: stochastic Adams methods, predictor and corrector."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, at, on_cpu, sampler

QUADRATURE = np.polynomial.legendre.leggauss(16)
PREDICTOR_ORDER, CORRECTOR_ORDER = 3, 4
# The share of the walk, in log(sigma), in which noise is added; its ends are deterministic.
NOISY = (0.2, 0.8)


def weights(nodes: Sequence[float], start: float, end: float, tau: float) -> list[float]:
    """How much the denoised latents at each of `nodes` count for the step: integrals of their interpolating
    polynomials times (1 + tau²) exp(-(1 + tau²) (end - lambda)) over lambda. They sum to 1 - exp(-(1 + tau²) h)."""
    total, rate = [0.0] * len(nodes), 1 + tau**2
    for offset, share in zip(*QUADRATURE, strict=True):
        now = (end - start) / 2 * float(offset) + (end + start) / 2
        density = float(share) * (end - start) / 2 * rate * math.exp(-rate * (end - now))
        for one in range(len(nodes)):
            others = (other for other in range(len(nodes)) if other != one)
            total[one] += density * math.prod((now - nodes[other]) / (nodes[one] - nodes[other]) for other in others)
    return total


def combined(x: Tensor, points: Sequence[tuple[float, Tensor]], start: float, end: float, tau: float) -> Tensor:
    """The noiseless part of the step from lambda `start` to `end`; points: (lambda, denoised)."""
    x = x * math.exp(-(1 + tau**2) * (end - start))
    for weight, (_, denoised) in zip(weights([one for one, _ in points], start, end, tau), points, strict=True):
        x = x + denoised * weight
    return x


@sampler("SA-Solver", "sa_solver", "k_sa_solver", accepts=("eta", "s_noise"))
def sa_solver(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Adams-Bashforth of third order foretells, Adams-Moulton of fourth order corrects with the same noise; one
    evaluation per step. eta is the paper's tau in the middle of the walk.

    Source: Xue et al. (2023), arXiv:2309.05019.
    """
    levels = on_cpu(sigmas)
    positive = [sigma for sigma in levels if sigma > 0]
    lambdas = [-math.log(sigma) for sigma in positive]
    span = lambdas[-1] - lambdas[0]
    points: list[tuple[float, Tensor]] = []
    before: tuple[Tensor, float, float, Tensor | float] | None = None
    for i, now in enumerate(lambdas):
        if i + 1 == len(levels):
            return x
        denoised = at(denoise, x, positive[i])
        on_step(StepInfo(i, len(levels) - 1, positive[i], denoised))
        points = [(now, denoised), *points[: CORRECTOR_ORDER - 1]]
        if before is not None:
            origin, start, tau, added = before
            x = combined(origin, points, start, now, tau) + added
        if i + 1 == len(lambdas):
            return denoised if levels[i + 1] == 0 else x
        aim = lambdas[i + 1]
        tau = options.eta if NOISY[0] * span <= (now + aim) / 2 - lambdas[0] <= NOISY[1] * span else 0.0
        added = 0.0
        if tau:
            up = positive[i + 1] * math.sqrt(-math.expm1(-2 * tau**2 * (aim - now)))
            added = noise(positive[i], positive[i + 1]) * (options.s_noise * up)
        before = (x, now, tau, added)
        x = combined(x, points[:PREDICTOR_ORDER], now, aim, tau) + added
    return x
