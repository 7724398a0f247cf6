"""The names that pages show before torch is there are those of the registries."""

from __future__ import annotations

from modules.diffusion.names import SAMPLER_NAMES, SCHEDULE_NAMES
from modules.diffusion.samplers import SAMPLERS
from modules.diffusion.schedules import SCHEDULES


def test_names_are_those_of_the_registries() -> None:
    assert SAMPLERS.names == SAMPLER_NAMES
    assert SCHEDULES.names == SCHEDULE_NAMES
