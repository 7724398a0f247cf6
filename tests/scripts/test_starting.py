"""Scripts are listed at every start: they load without what takes long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
import sys
from modules.a1111.host import install
from modules.studio.flags import parse_flags
from modules.studio.studio import Studio

studio = Studio(parse_flags(["--data-dir", sys.argv[1]]))
install(studio).load()
assert "xyz_grid.py" in sys.modules
failures = studio.extensions.failures("base")
studio.close()
print([name for name in ("torch", "gradio", "diffusers", "transformers") if name in sys.modules], failures)
"""


def test_scripts_load_without_torch_and_gradio(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip().splitlines()[-1:] == ["[] ()"], done.stderr
