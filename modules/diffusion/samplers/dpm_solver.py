"""DPM-Solver, in steps of a fixed number of evaluations or of a size it finds by itself.

Both choose their levels between the first and the last above 0. Time is t = -log(sigma); a time here is a (B, 1, 1, 1)
float64 tensor on the CPU, because pictures of one batch may stand at different times.
Source: Lu et al. (2022), arXiv:2206.00927; parameters of k-diffusion's `sample_dpm_fast` and `sample_dpm_adaptive`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import OnStep, SamplerOptions, StepInfo, StepNoise, ancestral, on_cpu, sampler

Slope = Callable[[Tensor, Tensor], Tensor]
"""`slope(x, t)`: the noise in x, in units of its level."""


def times(values: Sequence[float]) -> Tensor:
    """(B, 1, 1, 1) from one time per picture."""
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)


def slope_of(denoise: Denoiser) -> Slope:
    """The noise that `denoise` finds."""

    def slope(x: Tensor, t: Tensor) -> Tensor:
        sigma = (-t).exp().to(x)
        return (x - denoise(x, sigma.flatten())) / sigma

    return slope


def first_order(x: Tensor, eps: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    return x - eps * ((-t_next).exp() * (t_next - t).expm1()).to(x)


def second_order(
    slope: Slope, x: Tensor, eps: Tensor, t: Tensor, t_next: Tensor, r1: float = 1 / 2
) -> tuple[Tensor, Tensor]:
    """The step, and the noise found a share `r1` of the way in."""
    s1 = t + r1 * (t_next - t)
    eps_1 = slope(first_order(x, eps, t, s1), s1)
    bend = (-t_next).exp() * (t_next - t).expm1() / (2 * r1)
    return first_order(x, eps, t, t_next) - (eps_1 - eps) * bend.to(x), eps_1


def third_order(slope: Slope, x: Tensor, eps: Tensor, t: Tensor, t_next: Tensor, eps_1: Tensor | None = None) -> Tensor:
    """The step with looks at 1/3 and 2/3 of the way; `eps_1` is the noise at 1/3, if it is known."""
    r1, r2 = 1 / 3, 2 / 3
    h = t_next - t
    s1, s2 = t + r1 * h, t + r2 * h
    if eps_1 is None:
        eps_1 = slope(first_order(x, eps, t, s1), s1)
    bend = (-s2).exp() * (r2 / r1) * ((r2 * h).expm1() / (r2 * h) - 1)
    eps_2 = slope(first_order(x, eps, t, s2) - (eps_1 - eps) * bend.to(x), s2)
    bend = (-t_next).exp() / r2 * (h.expm1() / h - 1)
    return first_order(x, eps, t, t_next) - (eps_2 - eps) * bend.to(x)


def ancestral_time(t: float, t_next: float, t_end: float, eta: float) -> tuple[float, float]:
    """(t to step to, how much noise then brings the level back to that of t_next)."""
    if not eta:
        return t_next, 0.0
    down, _ = ancestral(math.exp(-t), math.exp(-t_next), eta)
    t_down = min(t_end, -math.log(down)) if down > 0 else t_end
    return t_down, math.sqrt(max(math.exp(-2 * t_next) - math.exp(-2 * t_down), 0.0))


def bounds(sigmas: Tensor) -> tuple[float, float]:
    """(t of the first level, t of the last level above 0)."""
    levels = [sigma for sigma in on_cpu(sigmas) if sigma > 0]
    return -math.log(levels[0]), -math.log(levels[-1])


@sampler("DPM fast", "k_dpm_fast", accepts=("eta", "s_noise"), uses_ensd=True, own_levels=True)
def dpm_fast(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """len(sigmas) - 1 evaluations in steps of third order, the tail of lower order. Ends at the last level above 0.

    Order 1 at eta 0, because of the tail.
    """
    evaluations = len(sigmas) - 1
    t_start, t_end = bounds(sigmas)
    count, rest = evaluations // 3 + 1, evaluations % 3
    orders = [3] * (count - 2) + [2, 1] if rest == 0 else [3] * (count - 1) + [rest]
    slope = slope_of(denoise)
    for i, order in enumerate(orders[:count]):
        start, end = (t_start + (t_end - t_start) * at / count for at in (i, i + 1))
        down, up = ancestral_time(start, end, t_end, options.eta)
        t, t_next = times([start] * len(x)), times([down] * len(x))
        eps = slope(x, t)
        sigma = math.exp(-start)
        on_step(StepInfo(i, len(orders), sigma, x - eps * sigma))
        if order == 1:
            x = first_order(x, eps, t, t_next)
        elif order == 2:
            x, _ = second_order(slope, x, eps, t, t_next)
        else:
            x = third_order(slope, x, eps, t, t_next)
        if options.eta:
            x = x + noise(sigma, math.exp(-end)) * (options.s_noise * up)
    return x


@dataclass
class Walker:
    """Where one picture stands: its time, the size of its next try, how many tries have stood."""

    t: float
    order: float
    h: float = 0.05
    accepted: int = 0
    accept_safety = 0.81

    def judge(self, error: float) -> bool:
        """Whether a try with this error stands; `h` is then the size of the next one either way.

        An integral controller with the limiter 1 + atan(x - 1). Source: Söderlind (2003).
        """
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / self.order) - 1)
        self.h *= factor
        return factor >= self.accept_safety


@sampler("DPM adaptive", "k_dpm_ad", accepts=("eta",), uses_ensd=True, own_levels=True)
def dpm_adaptive(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Steps of third order, as large as the second-order result allows (rtol 0.05, atol 0.0078), every picture at its
    own pace; `sigmas` gives the bounds alone. (A1111 makes a batch keep one pace, so there neighbours matter.)"""
    rtol, atol = 0.05, 0.0078
    t_start, t_end = bounds(sigmas)
    walkers = [Walker(t_start, 1.5 if options.eta else 3) for _ in x]
    slope = slope_of(denoise)
    before, drawn = x, list[Tensor]()
    while any(walker.t < t_end - 1e-5 for walker in walkers):
        going = [walker.t < t_end - 1e-5 for walker in walkers]
        # Pictures that have arrived take part in the call with a step that is thrown away.
        now = [walker.t if goes else t_start for walker, goes in zip(walkers, going, strict=True)]
        aims = [
            min(t_end, start + (walker.h if goes else 0.05))
            for start, walker, goes in zip(now, walkers, going, strict=True)
        ]
        downs, ups = zip(
            *(ancestral_time(a, b, t_end, options.eta) for a, b in zip(now, aims, strict=True)), strict=True
        )
        t, t_next = times(now), times(downs)
        eps = slope(x, t)
        last = min(walkers, key=lambda walker: walker.t)
        left = math.ceil((t_end - last.t) / last.h)
        on_step(StepInfo(last.accepted, last.accepted + left, math.exp(-last.t), x - eps * (-t).exp().to(x)))
        low, eps_1 = second_order(slope, x, eps, t, t_next, r1=1 / 3)
        high = third_order(slope, x, eps, t, t_next, eps_1)
        tolerance = (rtol * torch.maximum(low.abs(), before.abs())).clamp(min=atol)
        errors = ((low - high) / tolerance).square().flatten(1).mean(1).sqrt().tolist()
        x, before = x.clone(), before.clone()
        for k, walker in enumerate(walkers):
            if not going[k] or not walker.judge(errors[k]):
                continue
            before[k], x[k] = low[k], high[k]
            if options.eta:
                if walker.accepted == len(drawn):
                    drawn.append(noise(math.exp(-now[k]), math.exp(-aims[k])))
                x[k] += drawn[walker.accepted][k] * ups[k]
            walker.t, walker.accepted = aims[k], walker.accepted + 1
    return x
