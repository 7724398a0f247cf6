"""What one sampling run walks: its noise levels, where they begin, how many calls they make."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from modules.diffusion.levels import FlowLevels, NoiseLevels
from modules.diffusion.schedule import AUTOMATIC, Schedule, ScheduleSettings, sigmas_for
from modules.diffusion.schedules import SCHEDULES
from modules.diffusion.walk import Sampler
from modules.terms.errors import BadRequest

# A1111 never walks a picture from pure noise: a denoising strength of 1 counts as this.
FULL_STRENGTH = 0.999


@dataclass(frozen=True)
class Route:
    """The plan of one run.

    sigmas: (n + 1,), falling, what the sampler walks (for the timestep family see `Walk`).
    start: the noise level that the latents are brought to.
    bounds: (lowest level above 0, highest) of the whole schedule, for Brownian noise.
    steps: what progress counts to. total_calls: network calls that prompts and guidance are planned for.
    schedule: the label of the schedule in use, for infotext and file names. recorded: infotext entries it causes.
    """

    sampler: Sampler
    levels: NoiseLevels
    sigmas: Tensor
    start: float
    bounds: tuple[float, float]
    steps: int
    total_calls: int
    schedule: str
    from_image: bool = False
    recorded: dict[str, object] = field(default_factory=dict)

    def begin(
        self, noise: Tensor, source: Tensor | None = None, *, sgm_noise: bool = False, extra_noise: float = 0.0
    ) -> Tensor:
        """The latents that the walk begins with, (B, C, H, W).

        Args:
            noise: unit noise. source: clean latents to begin from; without them there is pure noise.
            sgm_noise: pure noise gets the variance of a noised latent ("SGM noise multiplier").
            extra_noise: more unit noise on a noised source, times this.
        """
        if source is not None:
            x = self.levels.noised(source, noise, self.start)
            return x + noise * extra_noise if extra_noise else x
        flow = isinstance(self.levels, FlowLevels)
        unit_variance = (self.sampler.timestep_family or sgm_noise) and not flow
        return noise * (math.sqrt(1 + self.start**2) if unit_variance else self.start)


def img2img_steps(steps: int, strength: float, *, exact: bool) -> tuple[int, int]:
    """(length of the schedule, steps of it that are walked after the first).

    `exact` makes the number of evaluations `steps` (the second pass of hires fix, or the setting that asks for it);
    otherwise the schedule has `steps`, of which the last share `strength` is walked.
    """
    strength = min(strength, FULL_STRENGTH)
    if not exact:
        return steps, int(strength * steps)
    return (int(steps / strength) if strength > 0 else 0), steps - 1


def plan(
    sampler: Sampler,
    schedule: Schedule,
    steps: int,
    levels: NoiseLevels,
    *,
    settings: ScheduleSettings | None = None,
    strength: float | None = None,
    exact_steps: bool = False,
) -> Route:
    """The route of `steps` steps; with a `strength` (0 to 1) that of img2img, which begins in the middle.

    `exact_steps`: see `img2img_steps`. `levels` are the model's; the sampler may use part of them.
    Raises: BadRequest if the sampler cannot walk them.
    """
    settings = settings or ScheduleSettings()
    length, walked = (steps, steps - 1) if strength is None else img2img_steps(steps, strength, exact=exact_steps)
    recorded: dict[str, object] = {}
    if settings.always_discard and not sampler.discard_penultimate:
        recorded["Discard penultimate sigma"] = True
    discard = sampler.discard_penultimate or settings.always_discard
    chosen = schedule
    if length == 0:
        # Denoising strength 0 with exact steps: there is nothing to walk.
        sigmas, start, bounds, walked = torch.zeros(1), 0.0, (0.0, 0.0), -1
    elif sampler.timestep_family:
        sigmas, start = timestep_route(length + discard, levels, walked if strength is not None else None)
        bounds = (levels.sigma_min, levels.sigma_max)
    else:
        levels = sampler.levels(levels)
        chosen = schedule_used(sampler, schedule)
        full, bent = sigmas_for(chosen, length + discard, levels, settings)
        recorded |= bent
        if discard:
            full = torch.cat([full[:-2], full[-1:]])
        bounds = (float(full[full > 0].min()), float(full.max()))
        sigmas = full if strength is None else full[max(0, length - walked - 1) :]
        start = float(sigmas[0])
        if sampler.own_levels and strength is None:
            sigmas = torch.tensor([levels.sigma_max, *[levels.sigma_min] * steps])
        elif sampler.own_levels:
            sigmas = torch.cat([sigmas[:1], sigmas[-2:-1].expand(len(sigmas) - 1)])
    return Route(
        sampler=sampler,
        levels=levels,
        sigmas=sigmas,
        start=start,
        bounds=bounds,
        steps=walked + 1,
        total_calls=max(1, (walked + 1) * (2 if sampler.second_order else 1)),
        schedule=chosen.label,
        from_image=strength is not None,
        recorded=recorded,
    )


def schedule_used(sampler: Sampler, schedule: Schedule) -> Schedule:
    """`schedule`, or the sampler's own where that is left to it. The timestep family walks without one."""
    left_to_it = schedule.label == AUTOMATIC and not sampler.timestep_family
    return SCHEDULES[sampler.default_schedule] if left_to_it and sampler.default_schedule else schedule


def timesteps_of(steps: int, count: int = 1000) -> Tensor:
    """The timesteps of DDIM, rising: 1, 1 + k, 1 + 2k … with k = count // steps; rounding may make them more than
    `steps`."""
    return torch.arange(0, count, max(count // steps, 1)).add(1).clamp(0, count - 1)


def timestep_route(steps: int, levels: NoiseLevels, walked: int | None) -> tuple[Tensor, float]:
    """(levels, start) of a walk over whole timesteps: levels[0] is `start`, the timesteps follow, falling.

    With `walked`, a picture is noised to timestep number `walked`, and the timesteps below that one are walked.
    Raises: BadRequest for models that have no timesteps of this kind.
    """
    if not len(levels.alphas_cumprod):
        raise BadRequest("DDIM, PLMS and UniPC need a model that was trained on DDPM noise. Euler works with this one.")
    timesteps = timesteps_of(steps, len(levels))
    sigmas = levels.sigmas[timesteps]
    if walked is None:
        return torch.cat([sigmas[-1:], sigmas.flip(0)]), float(sigmas[-1])
    start = sigmas[min(walked, len(sigmas) - 1)]
    return torch.cat([start.view(1), sigmas[:walked].flip(0)]), float(start)
