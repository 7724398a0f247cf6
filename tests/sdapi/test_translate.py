"""Names of samplers are read as the registry of samplers reads them, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modules.sdapi.translate import resolve_sampler


def test_names_mean_what_they_mean_to_the_samplers() -> None:
    pytest.importorskip("torch")
    from modules.diffusion.sampler import SAMPLERS, resolve_as_a1111
    from modules.diffusion.samplers import SAMPLERS as REGISTERED
    from modules.diffusion.schedules import SCHEDULES

    assert REGISTERED is SAMPLERS
    # A1111 reads "Euler SGM Uniform" as an unknown "Euler SGM" with Uniform, and draws with DPM++ 2M. We do not.
    schedules = [one for one in SCHEDULES if not any(one.label.endswith(f" {other.label}") for other in SCHEDULES)]
    assert len(schedules) > 10
    for sampler in SAMPLERS:
        for schedule in schedules:
            for given in ((sampler.name, schedule.label), (f"{sampler.name} {schedule.label}", "Automatic")):
                found, chosen = resolve_as_a1111(*given)
                assert resolve_sampler(*given) == (found.name, chosen.label), given
    for alias in ("k_euler_a", "ddim_v", "k_dpmpp_2m", "unipc"):
        if alias not in SAMPLERS:
            continue
        found, chosen = resolve_as_a1111(alias, "Karras")
        assert resolve_sampler(alias, "Karras") == (found.name, chosen.label)


def test_a_request_is_read_before_torch_is_there(root: Path) -> None:
    code = (
        "import sys; from modules.sdapi.translate import resolve_sampler; resolve_sampler('Euler a', 'karras');"
        "import modules.sdapi.server; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
