from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("switching.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def resident(folder: Path, switches: int, *flags: str) -> list[int]:
    """Bytes in memory after each of so many switches, in a process of its own."""
    done = subprocess.run(
        [sys.executable, PROGRAM, folder, str(switches), *flags],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[int] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_switches_leave_memory_as_it_was(folder: Path) -> None:
    after = resident(folder, 9)
    assert after[-1] <= 1.05 * after[2], after


@pytest.mark.slow
def test_a_leak_would_be_seen(folder: Path) -> None:
    after = resident(folder, 9, "--leak")
    assert after[-1] > 1.05 * after[2], after


@pytest.mark.slow
def test_thirty_switches_leave_memory_as_it_was(folder: Path) -> None:
    after = resident(folder, 30)
    assert after[-1] <= 1.05 * after[2], after
