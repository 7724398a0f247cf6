"""SIGKILL at any moment: no job is lost, none is done twice, the order stays."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from modules.studio.job_recovery import MAX_STARTS
from modules.studio.job_store import JobStore
from modules.studio.jobs import Jobs, Outcome
from modules.terms.request import GenerationRequest
from tests.studio.job_runner import KILL_POINTS, PICTURES

RUNNER = Path(__file__).with_name("job_runner.py")
JOBS = 6

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """(folder of the jobs, folder of the pictures), with six jobs queued."""
    folder, outputs = tmp_path / "jobs", tmp_path / "outputs"
    outputs.mkdir()
    jobs = Jobs(folder, lambda job, watch: Outcome({}))
    for number in range(JOBS):
        jobs.submit(GenerationRequest(prompt=f"job{number}"))
    jobs.close()
    return folder, outputs


def start(folders: tuple[Path, Path], *fuse: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(RUNNER), *map(str, folders), *fuse], stderr=subprocess.PIPE)


def finish(folders: tuple[Path, Path]) -> None:
    process = start(folders)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()


def check(folders: tuple[Path, Path], most_runs: int = 1) -> None:
    """Every job is done, in the order asked, with its own pictures and no others, and ran to its end at most once."""
    folder, outputs = folders
    store = JobStore(folder / "jobs.sqlite", lambda request: request)
    done = sorted((store.job(job.id) for job in store.history(100)), key=lambda job: job.finished)
    store.close()
    names = [f"job{number}" for number in range(JOBS)]
    assert [job.state for job in done] == ["done"] * JOBS
    assert [job.result["prompt"] for job in done] == names
    pictures = {path: path.read_text() for path in outputs.glob("*.txt")}
    assert Counter(pictures.values()) == Counter(f"{name} picture {n}" for name in names for n in range(PICTURES))
    assert {path for job in done for path in job.files} == set(pictures)
    assert max(Counter((outputs / "log").read_text().split()).values()) <= most_runs


@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.parametrize("point", KILL_POINTS)
def test_killed_at_a_point(folders: tuple[Path, Path], point: str, at: int) -> None:
    process = start(folders, point, str(at))
    process.communicate(timeout=60)
    assert process.returncode == (0 if point == "forgotten" and at > 1 else -signal.SIGKILL)
    finish(folders)
    check(folders)


@pytest.mark.parametrize("point", ["written", "announced", "named_one", "named_all", "recorded"])
def test_files_announced_one_by_one_are_not_doubled(
    folders: tuple[Path, Path], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cannot tell the outcome ahead may have to run again, but what is in the folder is the same."""
    monkeypatch.setenv("ONE_BY_ONE", "1")
    process = start(folders, point, "3")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    finish(folders)
    check(folders, most_runs=2)


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_at_random(folders: tuple[Path, Path], seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(5):
        process = start(folders)
        time.sleep(0.2 + chance.random() * 0.25)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    finish(folders)
    check(folders)


def test_a_job_that_ends_the_process_every_time_is_given_up(folders: tuple[Path, Path]) -> None:
    """Otherwise a job that the kernel kills for its memory would stop the queue for ever."""
    for _ in range(MAX_STARTS):
        process = start(folders, "started", "1")
        process.communicate(timeout=60)
    finish(folders)
    store = JobStore(folders[0] / "jobs.sqlite", lambda request: request)
    states = {job.number: job for job in store.history(100)}
    store.close()
    assert states[1].state == "failed"
    assert "ended 10 times" in states[1].error
    assert all(states[number].state == "done" for number in range(2, JOBS + 1))
