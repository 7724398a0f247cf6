"""The allocator keeps what is freed, until it is told to give it back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modules.studio import allocator

pytestmark = pytest.mark.skipif(allocator._glibc() is None, reason="only glibc on Linux has these settings")

MEASURE = """
import ctypes, json, resource, sys, threading
from modules.studio.allocator import trim, tune_allocator
tuned = tune_allocator() if {tune} else None

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

facts = {{"tuned": tuned, "torch": "torch" in sys.modules}}
def work():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    size = 64 << 20
    def use():
        block = libc.malloc(size)
        ctypes.memset(block, 1, size)
        libc.free(block)
    use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        use()
    facts["faults"] = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    kept = resident()
    facts["trimmed"] = trim()
    facts["given_back"] = kept - resident()

thread = threading.Thread(target=work)  # pictures are drawn on a worker thread
thread.start()
thread.join()
print(json.dumps(facts))
"""


def measured(root: Path, tune: bool) -> dict[str, int]:
    code = MEASURE.format(tune=tune)
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_freed_blocks_are_used_again_without_page_faults(root: Path) -> None:
    tuned, plain = measured(root, tune=True), measured(root, tune=False)
    assert tuned["tuned"]
    assert not tuned["torch"]
    assert plain["faults"] > 1000  # so that the comparison means something
    assert tuned["faults"] < plain["faults"] / 20


def test_trim_gives_them_back(root: Path) -> None:
    tuned = measured(root, tune=True)
    assert tuned["trimmed"]
    assert tuned["given_back"] > 60 << 20


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_glibc", lambda: None)
    assert not allocator.tune_allocator()
    assert not allocator.trim()
