"""The names that pages show before torch is there are those of the registries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from modules.diffusion.names import SAMPLER_NAMES, SCHEDULE_NAMES
from modules.diffusion.samplers import SAMPLERS
from modules.diffusion.schedules import SCHEDULES


def test_names_are_those_of_the_registries() -> None:
    assert SAMPLERS.names == SAMPLER_NAMES
    assert SCHEDULES.names == SCHEDULE_NAMES


def test_names_are_there_before_torch(root: Path) -> None:
    code = "import sys, modules.diffusion.names; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
