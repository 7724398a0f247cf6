"""Adams-Bashforth methods: the slopes of earlier steps foretell those of the next.

All begin with Euler's method and gain an order with every step, so on long first steps the whole walk has order 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, at, on_cpu, sampler

Weights = Callable[[int, int], Sequence[float]]
"""`weights(step, order)`: how much each slope counts for the next step, the newest slope first."""

QUADRATURE = np.polynomial.legendre.leggauss(12)
# The linear VP schedule that EDM's levels 0.002 … 80 lie on, with its first level at t = 0.001.
VP_START, VP_END = math.log1p(0.002**2), math.log1p(80.0**2)
VP_RISE = 2 * (VP_START / 1e-3 - VP_END) / (1e-3 - 1)
VP_BASE = VP_END - VP_RISE / 2


def vp_time(sigma: float) -> float:
    """When a linear variance-preserving schedule reaches `sigma`: 0 to 1 for 0 to 80. Source: arXiv:2206.00364, C.1."""
    return (math.sqrt(VP_BASE**2 + 2 * VP_RISE * math.log1p(sigma**2)) - VP_BASE) / VP_RISE


def interpolation_weights(
    levels: Sequence[float], step: int, order: int, clock: Callable[[float], float] = float
) -> list[float]:
    """Weights of the last `order` slopes, newest first: integrals over the step of the polynomials through them.

    The polynomials run over `clock(sigma)`, the integral over sigma.
    """
    start, end = levels[step], levels[step + 1]
    nodes = [clock(levels[step - back]) for back in range(order)]
    weights = [0.0] * order
    for offset, share in zip(*QUADRATURE, strict=True):
        now = clock((end - start) / 2 * float(offset) + (end + start) / 2)
        for one in range(order):
            others = (other for other in range(order) if other != one)
            basis = math.prod((now - nodes[other]) / (nodes[one] - nodes[other]) for other in others)
            weights[one] += float(share) * (end - start) / 2 * basis
    return weights


def multistep(
    denoise: Denoiser,
    x: Tensor,
    levels: Sequence[float],
    on_step: OnStep,
    weights: Weights,
    max_order: int,
    *,
    euler_to_zero: bool,
) -> Tensor:
    """Walks down `levels` with the slopes of up to `max_order` steps; with `euler_to_zero` a step to 0 is Euler's."""
    slopes: list[Tensor] = []
    for i, sigma in enumerate(levels[:-1]):
        denoised = at(denoise, x, sigma)
        on_step(StepInfo(i, len(levels) - 1, sigma, denoised))
        slopes = [(x - denoised) / sigma, *slopes[: max_order - 1]]
        if euler_to_zero and levels[i + 1] == 0:
            return denoised
        for weight, slope in zip(weights(i, len(slopes)), slopes, strict=True):
            x = x + slope * weight
    return x


@sampler("LMS", "k_lms")
def lms(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Variable-step Adams-Bashforth over sigma, order up to 4. Source: k-diffusion, `sample_lms`."""
    levels = on_cpu(sigmas)
    weights = [interpolation_weights(levels, step, min(step + 1, 4)) for step in range(len(levels) - 1)]
    return multistep(denoise, x, levels, on_step, lambda step, order: weights[step], 4, euler_to_zero=False)


@sampler("IPNDM", "ipndm", "k_ipndm")
def ipndm(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Adams-Bashforth with the weights of even steps, whatever the steps are; order up to 4 where they are even.

    Source: Zhang & Chen (2022), arXiv:2204.13902, section 3.5 (iPNDM).
    """
    levels = on_cpu(sigmas)
    table = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))

    def weights(step: int, order: int) -> list[float]:
        return [weight * (levels[step + 1] - levels[step]) for weight in table[order - 1]]

    return multistep(denoise, x, levels, on_step, weights, 4, euler_to_zero=True)


@sampler("IPNDM_V", "ipndm_v", "k_ipndm_v")
def ipndm_v(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """IPNDM with weights for uneven steps, order up to 4; LMS, but for its last step to 0, which is Euler's.

    Source: Zhou et al. (2024), arXiv:2312.00094. Their code has misplaced a bracket in the weights; these are exact.
    """
    levels = on_cpu(sigmas)
    weights = [interpolation_weights(levels, step, min(step + 1, 4)) for step in range(len(levels) - 1)]
    return multistep(denoise, x, levels, on_step, lambda step, order: weights[step], 4, euler_to_zero=True)


@sampler("DEIS", "deis", "k_deis")
def deis(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """The noise interpolated over the time of a variance-preserving schedule, order up to 3.

    Source: Zhang & Chen (2022), arXiv:2204.13902 (tAB-DEIS).
    """
    levels = on_cpu(sigmas)
    weights = [interpolation_weights(levels, step, min(step + 1, 3), vp_time) for step in range(len(levels) - 1)]
    return multistep(denoise, x, levels, on_step, lambda step, order: weights[step], 3, euler_to_zero=True)
