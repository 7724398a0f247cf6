"""Samplers by name, and their options from what a request asks and the settings say."""

from __future__ import annotations

import math
from dataclasses import replace

from modules.diffusion.levels import NoiseLevels
from modules.diffusion.samplers import SAMPLERS
from modules.diffusion.schedule import AUTOMATIC, Schedule
from modules.diffusion.schedules import SCHEDULES
from modules.diffusion.walk import OnStep, Sampler, SamplerOptions, StepInfo, UniPCOptions, unwatched

__all__ = [
    "SAMPLERS",
    "OnStep",
    "Sampler",
    "SamplerOptions",
    "StepInfo",
    "UniPCOptions",
    "resolve",
    "resolve_as_a1111",
    "resolved_options",
    "unwatched",
]


def resolve(sampler_text: str, schedule_text: str = "", *, convert_automatic: bool = True) -> tuple[Sampler, Schedule]:
    """The sampler and the schedule that two names stand for.

    Labels and aliases are found whatever their case; empty names mean Euler and Automatic. A schedule at the end of the
    sampler's name ("DPM++ 2M Karras", as before A1111 1.9) wins over `schedule_text`. With `convert_automatic` a
    schedule that is the sampler's own choice anyway comes back as Automatic.

    Raises: NotFound naming the nearest sampler or schedule.
    """
    found = SAMPLERS.find(sampler_text or "Euler")
    chosen = None
    if found is None:
        found, chosen = _with_schedule(sampler_text)
    if found is None:
        found = SAMPLERS[sampler_text]
    chosen = chosen or SCHEDULES[schedule_text or AUTOMATIC]
    if convert_automatic and found.default_schedule == chosen.key:
        chosen = SCHEDULES[AUTOMATIC]
    return found, chosen


def resolve_as_a1111(
    sampler_text: str, schedule_text: str = "", *, convert_automatic: bool = True
) -> tuple[Sampler, Schedule]:
    """Like `resolve`, but as A1111's API reads names: exact labels count, anything else is DPM++ 2M."""
    name, chosen = sampler_text, SCHEDULES.find(schedule_text or AUTOMATIC) or SCHEDULES[AUTOMATIC]
    for schedule in SCHEDULES:
        for ending in (schedule.label, *schedule.aliases):
            if name.endswith(" " + ending) and name not in SAMPLERS.names:
                name, chosen = name[: -len(ending) - 1], schedule
                break
    found = SAMPLERS[name] if name in SAMPLERS.names else next(iter(SAMPLERS))
    if convert_automatic and found.default_schedule == chosen.key:
        chosen = SCHEDULES[AUTOMATIC]
    return found, chosen


def _with_schedule(text: str) -> tuple[Sampler | None, Schedule | None]:
    lowered = text.strip().lower()
    for schedule in SCHEDULES:
        for ending in (schedule.label, *schedule.aliases):
            if lowered.endswith(" " + ending.lower()):
                found = SAMPLERS.find(lowered[: -len(ending) - 1])
                if found:
                    return found, schedule
    return None, None


def resolved_options(
    chosen: Sampler,
    levels: NoiseLevels,
    *,
    request: dict[str, float | None],
    settings: dict[str, float],
    from_image: bool = False,
    unipc: UniPCOptions | None = None,
) -> tuple[SamplerOptions, dict[str, object]]:
    """A sampler's options from what the request asks and the settings say, and the infotext entries they cause.

    Args:
        request: eta, s_churn, s_tmin, s_tmax, s_noise; missing or None: as the settings say.
        settings: the same s_* keys, eta_ancestral and eta_ddim; missing: neutral.

    A setting that is not neutral wins over the request, and is written; s_tmax 0 means no upper bound.
    """
    recorded: dict[str, object] = {}
    options = SamplerOptions(levels=levels, from_image=from_image, unipc=unipc or UniPCOptions())
    neutral_eta, setting_eta, label = (
        (0.0, settings.get("eta_ddim", 0.0), "Eta DDIM")
        if chosen.timestep_family
        else (1.0, settings.get("eta_ancestral", 1.0), "Eta")
    )
    if chosen.default_eta is not None:
        neutral_eta = setting_eta = chosen.default_eta
    if "eta" in chosen.accepts:
        asked = request.get("eta")
        eta = setting_eta if asked is None else asked
        options = replace(options, eta=eta)
        if eta != neutral_eta:
            recorded[label] = eta

    def settled(name: str, neutral: float, *, zero_means: float = 0.0) -> float:
        setting = settings.get(name, neutral) or zero_means
        if setting != neutral:
            recorded[f"Sigma {name[2:]}"] = setting
            return setting
        asked = request.get(name)
        return neutral if asked is None else asked or zero_means

    if "s_churn" in chosen.accepts:
        churn, low = settled("s_churn", 0.0), settled("s_tmin", 0.0)
        high = settled("s_tmax", math.inf, zero_means=math.inf)
        options = replace(options, s_churn=churn, s_tmin=low, s_tmax=high)
    if "s_noise" in chosen.accepts:
        options = replace(options, s_noise=settled("s_noise", 1.0))
    return options, recorded
