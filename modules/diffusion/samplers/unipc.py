"""UniPC: every evaluation first foretells the next latents, then corrects the ones it was made for.

Source: Zhao et al. (2023), arXiv:2302.04867, data prediction; settings as in A1111. Time runs from 1 / N (the first
trained level) to 1 (the last), and between two levels log(sqrt(alphas_cumprod)) is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.levels import NoiseLevels
from modules.diffusion.samplers.ddim import scaled
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, UniPCOptions, on_cpu, sampler

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Clock:
    """Continuous time of a discrete schedule: `times` rise to 1, `log_alphas` fall; both (N,)."""

    times: Floats
    log_alphas: Floats

    @classmethod
    def of(cls, levels: NoiseLevels) -> Clock:
        count = len(levels.alphas_cumprod)
        log_alphas = 0.5 * np.log(levels.alphas_cumprod.double().numpy())
        return cls(np.arange(1, count + 1) / count, log_alphas)

    def log_alpha(self, t: float) -> float:
        return float(np.interp(t, self.times, self.log_alphas))

    def sigma(self, t: float) -> float:
        """Standard deviation of the noise in a unit-variance latent."""
        return math.sqrt(-math.expm1(2 * self.log_alpha(t)))

    def log_snr(self, t: float) -> float:
        """log(alpha / sigma), half of the log signal-to-noise ratio."""
        return self.log_alpha(t) - math.log(self.sigma(t))

    def time_at(self, log_snr: float) -> float:
        log_alpha = -0.5 * np.logaddexp(0.0, -2 * log_snr)
        return float(np.interp(log_alpha, self.log_alphas[::-1], self.times[::-1]))

    def grid(self, skip_type: str, start: float, end: float, steps: int) -> list[float]:
        """`steps` + 1 times from `start` down to `end`, even in time, in its root, or in log_snr."""
        if skip_type == "logSNR":
            return [self.time_at(one) for one in np.linspace(self.log_snr(start), self.log_snr(end), steps + 1)]
        if skip_type == "time_quadratic":
            return [float(one) ** 2 for one in np.linspace(math.sqrt(start), math.sqrt(end), steps + 1)]
        return [float(one) for one in np.linspace(start, end, steps + 1)]


@dataclass(frozen=True)
class Point:
    """A time that was evaluated, and the denoised latents there."""

    t: float
    clean: Tensor


@dataclass(frozen=True)
class Update:
    """The parts of one predictor-corrector step, shared by both halves.

    base: the step of first order. weights: for each divided difference of the points before, (predictor, corrector).
    newest: the corrector's weight for the difference to the new point. differences: (order - 1) tensors.
    """

    base: Tensor
    differences: list[Tensor]
    predictor: list[float]
    corrector: list[float]
    newest: float

    def predicted(self) -> Tensor:
        return self._with(self.predictor)

    def corrected(self, gain: Tensor) -> Tensor:
        """`gain`: denoised latents at the new point minus those at the last one."""
        return self._with(self.corrector) + gain * self.newest

    def _with(self, weights: list[float]) -> Tensor:
        x = self.base
        for weight, difference in zip(weights, self.differences, strict=True):
            x = x + difference * weight
        return x


def update(clock: Clock, x: Tensor, points: Sequence[Point], t: float, order: int, variant: str) -> Update:
    """The step from the last of `points` to `t` with the `order` latest points."""
    last = points[-1]
    h = clock.log_snr(t) - clock.log_snr(last.t)
    alpha = math.exp(clock.log_alpha(t))
    before = [points[-1 - back] for back in range(1, order)]
    ratios = [(clock.log_snr(point.t) - clock.log_snr(last.t)) / h for point in before] + [1.0]
    differences = [(point.clean - last.clean) / ratio for point, ratio in zip(before, ratios[:-1], strict=True)]
    base = x * (clock.sigma(t) / clock.sigma(last.t)) - last.clean * (alpha * math.expm1(-h))
    if variant == "vary_coeff":
        predictor, corrector, newest = varying_weights(ratios, h)
    else:
        predictor, corrector, newest = even_weights(ratios, h, variant)
    scale = -alpha
    return Update(
        base, differences, [scale * one for one in predictor], [scale * one for one in corrector], scale * newest
    )


def even_weights(ratios: list[float], h: float, variant: str) -> tuple[list[float], list[float], float]:
    """Weights of UniPC-B(h): B(h) is -h for "bh1" and exp(-h) - 1 for "bh2". Source: arXiv:2302.04867, theorem 3.1."""
    order, hh = len(ratios), -h
    scale = hh if variant == "bh1" else math.expm1(hh)
    phi, factorial, right = math.expm1(hh) / hh - 1, 1, []
    for power in range(1, order + 1):
        right.append(phi * factorial / scale)
        factorial *= power + 1
        phi = phi / hh - 1 / factorial
    matrix = np.array([[ratio**power for ratio in ratios] for power in range(order)])
    # The shortest systems are rounded to their limit for h -> 0, as the authors do.
    if order == 1:
        predictor, corrector = list[float](), [0.5]
    else:
        predictor = [0.5] if order == 2 else np.linalg.solve(matrix[:-1, :-1], right[:-1]).tolist()
        corrector = np.linalg.solve(matrix, right).tolist()
    return [scale * one for one in predictor], [scale * one for one in corrector[:-1]], scale * corrector[-1]


def varying_weights(ratios: list[float], h: float) -> tuple[list[float], list[float], float]:
    """Weights of UniPC with varying coefficients. Source: arXiv:2302.04867, appendix C; the authors' code, which gives
    the new point the last row but one of the inverse, is followed where it departs from the paper."""
    order, hh = len(ratios), -h
    column, columns = np.ones(order), []
    for power in range(1, order + 1):
        columns.append(column)
        column = column * np.array(ratios) / (power + 1)
    matrix = np.stack(columns, axis=1)
    inverse = np.linalg.inv(matrix)
    phis, factorial = [math.expm1(hh)], 1
    for power in range(1, order + 2):
        phis.append(phis[-1] / hh - 1 / factorial)
        factorial *= power + 1
    rows = range(order - 1)
    inner = np.linalg.inv(matrix[:-1, :-1]) if order > 1 else np.zeros((0, 0))
    predictor = [sum(phis[row + 1] * inner[row, one] for row in rows) for one in rows]
    corrector = [sum(phis[row + 1] * inverse[row, one] for row in rows) for one in rows]
    return predictor, corrector, phis[order] * inverse[max(order - 2, 0), -1]


@sampler("UniPC", "unipc", timestep_family=True)
def unipc(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """As many evaluations as `sigmas` has timesteps, from the last trained level (from a picture: the first timestep of
    `sigmas`) to the first, where it ends. The order is lowered to the number of evaluations."""
    steps, settings = len(sigmas) - 1, options.unipc
    x = scaled(x, on_cpu(sigmas)[0])
    if steps < 1:
        return x
    clock = Clock.of(options.levels)
    count = len(clock.times)
    start = (int(options.levels.nearest(sigmas[1:2].cpu())) + 1) / count if options.from_image else 1.0
    grid = clock.grid(settings.skip_type, start, 1 / count, steps)
    order = max(1, min(settings.order, steps))
    points: list[Point] = []

    def evaluate(x: Tensor, t: float) -> Point:
        alpha = math.exp(clock.log_alpha(t))
        sigma = clock.sigma(t) / alpha
        timestep = x.new_full((len(x),), (t - 1 / count) * count, dtype=torch.float32)
        point = Point(t, denoise(x / alpha, x.new_full((len(x),), sigma), timestep=timestep))
        on_step(StepInfo(len(points), steps, sigma, point.clean))
        return point

    points.append(evaluate(x, grid[0]))
    for step in range(1, steps + 1):
        current = step_order(step, steps, order, settings)
        parts = update(clock, x, points[-current:], grid[step], current, settings.variant)
        x = parts.predicted()
        if step < steps:
            points.append(evaluate(x, grid[step]))
            x = parts.corrected(points[-1].clean - points[-2].clean)
            points = points[-order:]
    return x


def step_order(step: int, steps: int, order: int, settings: UniPCOptions) -> int:
    """Rises over the first steps; with lower_order_final it falls over the last ones."""
    return min(order, step, steps + 1 - step) if settings.lower_order_final and step >= order else min(order, step)
