"""What a sampler is: a walk down the noise levels, and what its callers must know about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor

from modules.diffusion.denoiser import Denoiser
from modules.diffusion.levels import NoiseLevels

OptionName = Literal["eta", "s_churn", "s_noise"]


@dataclass(frozen=True)
class StepInfo:
    """One outer step, told when its first denoised latents stand: step `index` (from 0) of `total`."""

    index: int
    total: int
    sigma: float
    denoised: Tensor


class OnStep(Protocol):
    """Called once per outer step. Raises: Interrupted, Skipped or Cancelled to stop the walk."""

    def __call__(self, step: StepInfo) -> None: ...


def unwatched(step: StepInfo) -> None:
    """Sees nothing and never stops."""


StepNoise = Callable[[float, float], Tensor]
"""`noise(sigma, sigma_next)` -> unit noise (B, C, H, W) for the step between two levels."""


@dataclass(frozen=True)
class UniPCOptions:
    """A1111's four settings of UniPC."""

    variant: Literal["bh1", "bh2", "vary_coeff"] = "bh1"
    skip_type: Literal["time_uniform", "time_quadratic", "logSNR"] = "time_uniform"
    order: int = 3
    lower_order_final: bool = True


@dataclass(frozen=True)
class SamplerOptions:
    """What a walk may be told beyond the noise levels; samplers ignore what they do not know.

    eta: 0 (no noise) to 1 (ancestral). s_churn, s_tmin, s_tmax, s_noise: Karras et al. (2022), algorithm 2.
    from_image: the walk begins at a picture, not at pure noise.
    """

    levels: NoiseLevels
    eta: float = 1.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float = math.inf
    s_noise: float = 1.0
    from_image: bool = False
    unipc: UniPCOptions = field(default_factory=UniPCOptions)


class Walk(Protocol):
    """Walks x down the noise levels."""

    def __call__(
        self,
        denoise: Denoiser,
        x: Tensor,
        sigmas: Tensor,
        *,
        noise: StepNoise,
        on_step: OnStep,
        options: SamplerOptions,
    ) -> Tensor:
        """The latents at the last level, (B, C, H, W).

        Args:
            x: (B, C, H, W) at level sigmas[0]: clean + sigmas[0] * noise.
            sigmas: (n + 1,), falling, on the CPU. For the timestep family sigmas[0] only says how noisy x is: the
                levels that are evaluated begin at sigmas[1].
            noise: unit noise for the steps that add some.
        """
        ...


@dataclass(frozen=True)
class Sampler:
    """A named walk and what its callers must know about it.

    default_schedule: key of the schedule that Automatic stands for; None: the model's own levels.
    second_order: two evaluations per step, so prompts are scheduled over twice as many calls.
    brownian: step noise comes from a Brownian path over the noise levels.
    uses_ensd: infotext mentions ENSD. discard_penultimate: the last level above 0 is left out of the schedule.
    timestep_family: walks whole timesteps of the table (DDIM and its kin); schedules have no say.
    own_levels: chooses its levels itself between the first and the last.
    accepts: which of eta, s_churn (with s_tmin, s_tmax), s_noise change its result.
    default_eta: instead of the setting's, where the request names none.
    guidance_multiplier: times the CFG scale; CFG++ samplers take a scale of about 0 to 1.
    trained_levels: how many levels of the table it knows (distilled models), None: all.
    renoises: it adds noise on the way, whatever the options are.
    """

    name: str
    aliases: tuple[str, ...]
    walk: Walk
    default_schedule: str | None = None
    second_order: bool = False
    brownian: bool = False
    uses_ensd: bool = False
    discard_penultimate: bool = False
    timestep_family: bool = False
    own_levels: bool = False
    accepts: frozenset[OptionName] = frozenset()
    default_eta: float | None = None
    guidance_multiplier: float = 1.0
    trained_levels: int | None = None
    renoises: bool = False

    def adds_noise(self, options: SamplerOptions) -> bool:
        """Whether it is more than a solver of the ODE: it adds noise, or goes on from the noise of another guess."""
        eta = "eta" in self.accepts and options.eta > 0
        churn = "s_churn" in self.accepts and options.s_churn > 0
        return self.renoises or self.brownian or eta or churn or self.guidance_multiplier != 1

    def levels(self, levels: NoiseLevels) -> NoiseLevels:
        """The part of the model's noise levels that schedules may choose from."""
        return levels.thinned(self.trained_levels) if self.trained_levels else levels


def sampler(
    name: str,
    *aliases: str,
    accepts: tuple[OptionName, ...] = (),
    default_schedule: str | None = None,
    second_order: bool = False,
    brownian: bool = False,
    uses_ensd: bool = False,
    discard_penultimate: bool = False,
    timestep_family: bool = False,
    own_levels: bool = False,
    default_eta: float | None = None,
    guidance_multiplier: float = 1.0,
    trained_levels: int | None = None,
    renoises: bool = False,
) -> Callable[[Walk], Sampler]:
    """Makes the function below it a `Sampler`; the arguments are its fields."""

    def named(walk: Walk) -> Sampler:
        return Sampler(
            name=name,
            aliases=aliases,
            walk=walk,
            default_schedule=default_schedule,
            second_order=second_order,
            brownian=brownian,
            uses_ensd=uses_ensd,
            discard_penultimate=discard_penultimate,
            timestep_family=timestep_family,
            own_levels=own_levels,
            accepts=frozenset(accepts),
            default_eta=default_eta,
            guidance_multiplier=guidance_multiplier,
            trained_levels=trained_levels,
            renoises=renoises,
        )

    return named


def at(denoise: Denoiser, x: Tensor, sigma: float) -> Tensor:
    """`denoise(x, sigma)` with one level for the whole batch."""
    return denoise(x, x.new_full((len(x),), sigma))


def unguided(denoise: Denoiser, denoised: Tensor) -> Tensor:
    """What the negative prompt alone made of the last call; without guidance that is `denoised` itself."""
    negative = getattr(denoise, "uncond", None)
    return negative if isinstance(negative, Tensor) else denoised


def ancestral(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """(sigma_down, sigma_up): the level to step down to, and how much noise brings it back up to `sigma_next`.

    Source: Karras et al.'s notation for the posterior of DDPM; eta 0 adds no noise, 1 all of it.
    """
    if not eta:
        return sigma_next, 0.0
    sigma_up = min(sigma_next, eta * math.sqrt(sigma_next**2 * (sigma**2 - sigma_next**2) / sigma**2))
    return math.sqrt(max(sigma_next**2 - sigma_up**2, 0.0)), sigma_up


def churned(x: Tensor, sigma: float, steps: int, noise: StepNoise, options: SamplerOptions) -> tuple[Tensor, float]:
    """`x` with noise added up to a level above `sigma`, and that level. Source: Karras et al. (2022), algorithm 2."""
    if options.s_churn <= 0:
        return x, sigma
    # Drawn also where nothing is added: A1111 does, so every step takes its noise from the same place of the stream.
    unit = noise(sigma, sigma)
    gamma = min(options.s_churn / steps, math.sqrt(2) - 1) if options.s_tmin <= sigma <= options.s_tmax else 0.0
    if gamma <= 0:
        return x, sigma
    raised = sigma * (1 + gamma)
    return x + unit * (options.s_noise * math.sqrt(raised**2 - sigma**2)), raised


def on_cpu(sigmas: Tensor) -> list[float]:
    """The levels as plain numbers: coefficients are computed from them without waiting for a device."""
    return [float(sigma) for sigma in sigmas.detach().to("cpu", torch.float64)]
