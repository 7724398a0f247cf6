"""What a schedule is, the list of them, and the settings that bend one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from modules.diffusion.levels import FlowLevels, NoiseLevels, sigma_of

Need = Literal["levels", "rho", "beta", "table"]
AUTOMATIC = "Automatic"


@dataclass(frozen=True)
class Schedule:
    """A named way to choose noise levels.

    `build(steps, sigma_min, sigma_max, **needs)` returns a falling float32 tensor on the CPU, the last sigma included
    (usually 0). Automatic stands for the sampler's own choice; where it has none, for the model's levels.
    absolute: its numbers are noise beside a signal of full size, whatever the bounds are; flow models count shares.
    """

    label: str
    key: str
    build: Callable[..., Tensor]
    other_names: tuple[str, ...] = ()
    default_rho: float | None = None
    needs: frozenset[Need] = frozenset()
    absolute: bool = False

    @property
    def name(self) -> str:
        return self.label

    @property
    def aliases(self) -> tuple[str, ...]:
        return (self.key, *self.other_names)


def schedule(
    label: str,
    key: str,
    *other_names: str,
    default_rho: float | None = None,
    needs: tuple[Need, ...] = (),
    absolute: bool = False,
) -> Callable[[Callable[..., Tensor]], Schedule]:
    """Makes the function below it a `Schedule`. `needs` names the arguments it takes beyond the bounds."""

    def named(build: Callable[..., Tensor]) -> Schedule:
        return Schedule(label, key, build, other_names, default_rho, frozenset(needs), absolute)

    return named


def ending_in_zero(sigmas: Tensor | list[float]) -> Tensor:
    """`sigmas` as float32 with a 0 after them."""
    return torch.cat([torch.as_tensor(sigmas, dtype=torch.float32), torch.zeros(1)])


@dataclass(frozen=True)
class ScheduleSettings:
    """The settings that change which noise levels are walked. Zeros mean: as the model and the schedule say.

    `table` chooses the tables of Align Your Steps: those for SD 1.x, or those for SDXL.
    """

    sigma_min: float = 0.0
    sigma_max: float = 0.0
    rho: float = 0.0
    beta_alpha: float = 0.6
    beta_beta: float = 0.6
    old_karras_sigmas: bool = False
    always_discard: bool = False
    table: Literal["sd1", "sdxl"] = "sd1"


def sigmas_for(
    chosen: Schedule, steps: int, levels: NoiseLevels, settings: ScheduleSettings
) -> tuple[Tensor, dict[str, object]]:
    """The noise levels of `steps` steps, and the infotext entries that say what bent them.

    Automatic here means the model's own levels, evenly spaced, whatever the settings are.
    """
    if chosen.label == AUTOMATIC:
        return chosen.build(steps, levels.sigma_min, levels.sigma_max, levels=levels), {}
    old = settings.old_karras_sigmas and not isinstance(levels, FlowLevels)
    low, high = (0.1, 10.0) if old else (levels.sigma_min, levels.sigma_max)
    recorded: dict[str, object] = {}
    if settings.sigma_min not in (0, levels.sigma_min):
        low = recorded["Schedule min sigma"] = settings.sigma_min
    if settings.sigma_max not in (0, levels.sigma_max):
        high = recorded["Schedule max sigma"] = settings.sigma_max
    extra: dict[str, object] = {}
    if chosen.default_rho is not None and settings.rho not in (0, chosen.default_rho):
        extra["rho"] = recorded["Schedule rho"] = settings.rho
    if "levels" in chosen.needs:
        extra["levels"] = levels
    if "table" in chosen.needs:
        extra["table"] = settings.table
    if "beta" in chosen.needs:
        extra["alpha"] = recorded["Beta schedule alpha"] = settings.beta_alpha
        extra["beta"] = recorded["Beta schedule beta"] = settings.beta_beta
    if not isinstance(levels, FlowLevels):
        return chosen.build(steps, low, high, **extra), recorded
    if chosen.absolute:
        low, high = sigma_of(torch.tensor([low, high])).tolist()
        built = chosen.build(steps, low, high, **extra)
        built = built / (1 + built)
    else:
        built = chosen.build(steps, low, high, **extra)
    if "Schedule max sigma" not in recorded:
        built[0] = levels.sigma_max  # what a flow model begins with is nothing but noise
    return built, recorded
