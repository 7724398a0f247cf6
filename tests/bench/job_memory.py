# ruff: noqa: T201 - it reports on the terminal
"""Peak memory of one 512x512 picture in float32 from a 2 GB fp16 SD 1.5 file, phase by phase.

    python tests/bench/job_memory.py [--folder DIR] [--size 512] [--steps 2] [--setting KEY=JSON …]

The file has random weights and is made here (kept if DIR has one). The job runs in a process of its own, as the studio
runs it: with the allocator's settings, on a worker thread, with the text encoders and the VAE of the file.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

EVERY_S = 0.02
WANTED = 5.5e9


class Peaks:
    """Watches this process: the most bytes resident in each phase of a job, mapped file pages included."""

    def __init__(self) -> None:
        self.phase = "imports"
        self.most: dict[str, int] = {}
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.most[self.phase] = max(self.most.get(self.phase, 0), pages * resource.getpagesize())
            time.sleep(EVERY_S)

    def __call__(self, progress: Any, preview: object = None) -> None:
        self.phase = progress.phase


def draw(folder: Path, size: int, steps: int, settings: dict[str, Any]) -> dict[str, Any]:
    from modules.studio.allocator import tune_allocator

    tune_allocator()
    peaks = Peaks()
    from modules.generation import GenerationRequest, generate, open_tools

    tools = open_tools(folder, settings={"CLIP_stop_at_last_layers": 1, **settings}, device="cpu")
    request = GenerationRequest(
        prompt="a house by the sea", checkpoint="full", steps=steps, seed=1, width=size, height=size
    )
    notes: list[str] = []
    began = time.perf_counter()

    def work() -> None:
        notes.extend(generate(request, tools, peaks).notes)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak": peak, "phases": peaks.most, "seconds": seconds, "notes": notes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--setting", action="append", default=[], metavar="KEY=JSON")
    parser.add_argument("--draw", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        settings = {key: json.loads(value) for key, _, value in (one.partition("=") for one in options.setting)}
        print(json.dumps(draw(options.folder, options.size, options.steps, settings)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if not (folder / "full.safetensors").exists():
            folder.mkdir(parents=True, exist_ok=True)
            loading = Path(__file__).with_name("loading.py")
            subprocess.run([sys.executable, loading, "--make", folder], check=True, stdout=subprocess.DEVNULL)
        arguments = [*sys.argv[1:], "--draw", *(() if options.folder else ("--folder", str(folder)))]
        done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    found = json.loads(done.stdout.splitlines()[-1])
    for phase, most in found["phases"].items():
        print(f"{phase:10} {most / 1e9:5.2f} GB")
    print(f"peak {found['peak'] / 1e9:.2f} GB (wanted <= {WANTED / 1e9} at 512x512), {found['seconds']:.0f} s")
    for note in found["notes"]:
        print(note)


if __name__ == "__main__":
    main()
