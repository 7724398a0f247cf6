"""Merging holds one tensor at a time: three files of 200 MB pass through less memory than one and a half of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LAYERS, SIDE = 50, 1024  # 4 MB each in float32
MEASURED = """
import resource, sys
from pathlib import Path
from modules.checkpoints.files import open_tensors
from modules.merging.merge import Sources, plan
from modules.terms.merging import MergeRequest

def resident():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

folder, form = Path(sys.argv[1]), sys.argv[2]
request = MergeRequest(primary="a", secondary="b", tertiary="c", method="Add difference", file_format=form)
sources = Sources(*(open_tensors(folder / f"{name}.safetensors") for name in "abc"))
before = resident()
plan(request, sources).write(folder / f"m.{form}", {}, lambda done, total: None)
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts resident memory in kilobytes, and gives pages back")
@pytest.mark.parametrize("file_format", ["safetensors", "ckpt"])
def test_memory_stays_below_one_and_a_half_models(file_format: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    for seed, name in enumerate("abc"):
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(SIDE, SIDE, generator=generator)
        save_file({f"model.{n}.weight": weight + n for n in range(LAYERS)}, tmp_path / f"{name}.safetensors")
    size = (tmp_path / "a.safetensors").stat().st_size
    code = [sys.executable, "-c", MEASURED, str(tmp_path), file_format]
    run = subprocess.run(code, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert int(run.stdout) < (0.5 if file_format == "safetensors" else 1.5) * size
