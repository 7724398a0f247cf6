"""Heun's method and its relatives: a step, a look at where it leads, and a better step."""

from __future__ import annotations

from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.walk import (
    OnStep,
    SamplerOptions,
    StepInfo,
    StepNoise,
    at,
    churned,
    on_cpu,
    sampler,
)


def heun_step(denoise: Denoiser, x: Tensor, slope: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """`x` one Heun step further; a step to 0 is Euler's. `slope` is dx/dsigma at (x, sigma)."""
    ahead = x + slope * (sigma_next - sigma)
    if sigma_next == 0:
        return ahead
    slope_ahead = (ahead - at(denoise, ahead, sigma_next)) / sigma_next
    return x + (slope + slope_ahead) * ((sigma_next - sigma) / 2)


@sampler("Heun", "k_heun", accepts=("s_churn", "s_noise"), second_order=True)
def heun(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Heun's method: the mean of the slopes at both ends. Order 2.

    Source: Karras et al. (2022), arXiv:2206.00364, algorithm 2.
    """
    levels = on_cpu(sigmas)
    steps = len(levels) - 1
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        x, raised = churned(x, sigma, steps, noise, options)
        denoised = at(denoise, x, raised)
        on_step(StepInfo(i, steps, sigma, denoised))
        x = heun_step(denoise, x, (x - denoised) / raised, raised, sigma_next)
    return x


@sampler("HeunPP2", "heunpp2", "k_heunpp2", accepts=("s_churn", "s_noise"), second_order=True)
def heun_plus_plus(
    denoise: Denoiser, x: Tensor, sigmas: Tensor, *, noise: StepNoise, on_step: OnStep, options: SamplerOptions
) -> Tensor:
    """Looks up to two steps ahead and weighs the slopes by how noisy their levels are. Order 1: the weights of the
    slopes ahead vanish with sigma.

    Source: Carzit, sd-webui-samplers-scheduler (2023), "Heun++".
    """
    levels = on_cpu(sigmas)
    steps = len(levels) - 1
    for i, (sigma, sigma_next) in enumerate(zip(levels, levels[1:], strict=False)):
        x, raised = churned(x, sigma, steps, noise, options)
        denoised = at(denoise, x, raised)
        on_step(StepInfo(i, steps, sigma, denoised))
        slope = (x - denoised) / raised
        ahead, slopes = x + slope * (sigma_next - raised), [slope]
        # Neither a look from the last level nor at it: there is no slope at the end.
        for here, there in zip(levels[i + 1 : -1], levels[i + 2 :][:2], strict=False):
            slopes.append((ahead - at(denoise, ahead, here)) / here)
            ahead = ahead + slopes[-1] * (there - here)
        weights = [level / (len(slopes) * levels[0]) for level in levels[i + 1 : i + len(slopes)]]
        mean = slope * (1 - sum(weights))
        for weight, later in zip(weights, slopes[1:], strict=True):
            mean = mean + later * weight
        x = x + mean * (sigma_next - raised)
    return x
