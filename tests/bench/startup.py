# ruff: noqa: T201 - it reports on the terminal
"""Start to first page, against what importing the page's libraries alone costs.

    python tests/bench/startup.py [--runs 5]

The two alternate in one run and the medians are compared. CPU seconds and wall seconds; the ratio of CPU seconds
holds on a busy machine. First page: the HTML of "/" has been answered.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 300.0


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def imports() -> tuple[float, float]:
    """(wall, CPU) seconds of importing gradio and fastapi in a fresh interpreter."""
    wall, cpu = time.monotonic(), children_cpu()
    subprocess.run([sys.executable, "-c", "import gradio, fastapi"], check=True, cwd=ROOT)
    return time.monotonic() - wall, children_cpu() - cpu


def first_page(data_dir: str) -> tuple[float, float]:
    """(wall, CPU) seconds from starting webui.py to the answer of "/"; CPU is read from /proc where there is one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.monotonic()
    server = subprocess.Popen(
        [sys.executable, "webui.py", "--port", str(port), "--data-dir", data_dir, "--models-dir", str(ROOT / "models")],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.monotonic() - began < LIMIT_S:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=LIMIT_S) as answer:
                    answer.read()
                return time.monotonic() - began, process_cpu(server.pid)
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.01)
        raise TimeoutError(f"no page after {LIMIT_S:g} s")
    finally:
        server.kill()
        server.wait()


def process_cpu(pid: int) -> float:
    """CPU seconds of a running process; nan where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    alone, pages = [], []
    for _ in range(runs):
        alone.append(imports())
        with tempfile.TemporaryDirectory() as folder:
            pages.append(first_page(folder))
    for place, unit in enumerate(("wall", "CPU")):
        base = statistics.median(one[place] for one in alone)
        page = statistics.median(one[place] for one in pages)
        print(f"{unit}: imports {base:.2f} s, first page {page:.2f} s, ratio {page / base:.2f} (goal: at most 1.3)")


if __name__ == "__main__":
    main()
