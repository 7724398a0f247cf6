"""The studio's schedules in A1111's list."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from modules.a1111.bound import bound
from modules.a1111.missing import refusing


@dataclasses.dataclass
class Scheduler:
    """`function(n, sigma_min, sigma_max, device)` gives the noise levels."""

    name: str
    label: str
    function: Callable | None
    default_rho: float = -1
    need_inner_model: bool = False
    aliases: list = None


def _levels(key):
    def function(n, sigma_min, sigma_max, inner_model=None, device="cpu", rho=None):
        from modules import shared
        from modules.diffusion.schedules import SCHEDULES

        chosen = SCHEDULES[key]
        needs = {}
        if "levels" in chosen.needs:
            needs["levels"] = shared.sd_model.bundle.levels
        if rho is not None:
            needs["rho"] = rho
        return chosen.build(n, sigma_min, sigma_max, **needs).to(device)

    return function


schedulers = [
    Scheduler(
        row["name"],
        row["label"],
        None if row["label"] == "Automatic" else _levels(row["name"]),
        row["default_rho"],
        row["need_inner_model"],
        row["aliases"],
    )
    for row in bound().studio.details("schedulers")
]
schedulers_map = {**{one.name: one for one in schedulers}, **{one.label: one for one in schedulers}}

__getattr__ = refusing("modules.sd_schedulers")
