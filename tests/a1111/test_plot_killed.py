"""A plot whose studio is killed goes on where it was: cells that were drawn are not drawn again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.studio.job_store import JobStore

RUNNER = Path(__file__).with_name("plot_runner.py")
CELLS = 6
# Notes every picture that is drawn; waits for the axe before the fourth as long as a file says so.
COUNTING = """
import time
from pathlib import Path
from modules import scripts

DATA = Path(__file__).parents[3]

class Counting(scripts.Script):
    def title(self):
        return "Counting"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def process(self, p):
        drawn = DATA / "drawn"
        while (DATA / "wait").exists() and drawn.exists() and len(drawn.read_text().split()) == 3:
            time.sleep(0.02)

    def postprocess_batch(self, p, *args, **options):
        with (DATA / "drawn").open("a") as file:
            file.write(f"{p.steps}/{p.seed}\\n")
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


def start(data: Path, *what: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(RUNNER), str(data), *what], stderr=subprocess.PIPE)


def drawn(data: Path) -> list[str]:
    file = data / "drawn"
    return file.read_text().split() if file.exists() else []


def made(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name / "extensions" / "counting" / "scripts"
    folder.mkdir(parents=True)
    (folder / "counting.py").write_text(COUNTING)
    return tmp_path / name


def finished(data: Path, process: subprocess.Popen[bytes]) -> list[np.ndarray]:
    """The pictures of the one job, once it is done."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()[-2000:]
    store = JobStore(data / "jobs" / "jobs.sqlite", lambda request: request)
    (job,) = [store.job(job.id) for job in store.history(10)]
    store.close()
    assert job.state == "done", job.error
    return [np.asarray(Image.open(image["path"])) for image in job.result["images"]]


@pytest.mark.slow  # three studios, one after the other
def test_killed_in_the_middle_of_a_plot(tmp_path: Path) -> None:
    whole = made(tmp_path, "whole")
    wanted = finished(whole, start(whole, "plot"))
    assert len(drawn(whole)) == CELLS

    data = made(tmp_path, "killed")
    (data / "wait").touch()
    first = start(data, "plot")
    until = time.monotonic() + 120
    while len(drawn(data)) < 3 and first.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    # The third is noted before it is kept.
    while len(list((data / "jobs" / "drawn").glob("*/[!.]*.json"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = drawn(data)
    assert len(before) == 3
    (data / "wait").unlink()

    pictures = finished(data, start(data))
    assert drawn(data)[:3] == before
    assert sorted(drawn(data)) == sorted(drawn(whole))
    assert len(pictures) == len(wanted)
    for picture, other in zip(pictures, wanted, strict=True):
        np.testing.assert_array_equal(picture, other)
    # Those that were saved before the kill are not there twice.
    assert len(list((data / "outputs").rglob("*.png"))) == len(list((whole / "outputs").rglob("*.png"))) == CELLS + 1
    # What was kept for this is gone.
    assert not list((data / "jobs" / "drawn").glob("*/*"))
