# ruff: noqa: T201 - it reports on the terminal
"""Ten thousand LoRAs: what the studio's start, its lists and its search pay for them.

    python tests/bench/library.py [--files 10000] [--folder DIR]

Tiny files with headers of the size that trainers write (20 KB of tags), in 100 folders. The yardstick of the start is
the same studio without any file; of lists and search the limits that were promised: 1 s and 50 ms. Processor seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modules.studio.studio import Studio

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
FOLDERS = 100
TAGS = 600
LIST_S, SEARCH_S = 1.0, 0.05


def make(folder: Path, count: int) -> None:
    """`count` LoRA files of one small tensor with a trainer's metadata; every tenth has notes and a preview."""
    for number in range(count):
        here = folder / f"set {number % FOLDERS:03}"
        here.mkdir(parents=True, exist_ok=True)
        tags = {f"tag number {number * 7 + i}": i for i in range(TAGS)}
        metadata = {
            "ss_output_name": f"alias {number}",
            "ss_base_model_version": "sdxl_base_v1-0" if number % 2 else "sd_v1",
            "ss_tag_frequency": json.dumps({"10_thing": tags}),
        }
        tensor = {"dtype": "F16", "shape": [4, 4], "data_offsets": [0, 32]}
        header = json.dumps({"__metadata__": metadata, "lora_unet_x.lora_up.weight": tensor}).encode()
        path = here / f"style {number:05}.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(32))
        if number % 10 == 0:
            path.with_suffix(".json").write_text(json.dumps({"activation text": f"trigger {number}"}))
            path.with_suffix(".preview.png").write_bytes(b"")


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds, all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started


def studio_over(data: Path) -> Studio:
    from modules.studio.flags import parse_flags
    from modules.studio.studio import Studio

    return Studio(parse_flags(["--data-dir", str(data), "--no-hashing"], {}))


def start(data: Path) -> float:
    """Processor seconds of a program that starts until the page could be served."""
    code = (
        "import webui; from modules.studio.flags import parse_flags; from modules.studio.studio import Studio;"
        f"webui.build_app(Studio(parse_flags(['--data-dir', {str(data)!r}, '--no-hashing'], {{}})))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, count: int, starts: int) -> None:
    none, many = folder / "none", folder / "many"
    make(many / "models" / "Lora", count)
    none.mkdir()
    took: dict[Path, list[float]] = {none: [], many: []}
    for _ in range(starts):
        for data, found in took.items():
            found.append(start(data))
    if starts:
        without, with_files = statistics.median(took[none]), statistics.median(took[many])
        print(f"start: {without:.2f} s without files, {with_files:.2f} s with {count}: {with_files / without:.2f} x")

    made = studio_over(many)
    report("names, first time", LIST_S, lambda: made.listing("loras"))
    report("cards, first time, no header read", LIST_S, lambda: made.cards.search("loras", limit=100))
    report("cards, again", SEARCH_S, lambda: made.cards.search("loras", limit=100))
    report("all headers (in the background)", None, made.loras.read_headers)
    report("cards, now with aliases", LIST_S, lambda: made.cards.search("loras", limit=100))
    report("search for one", SEARCH_S, lambda: made.cards.search("loras", "alias 9999"))
    report("search for half, by base model", SEARCH_S, lambda: made.cards.search("loras", "sdxl", limit=100))
    report("looking at every file again", LIST_S, lambda: made.refresh("loras"))
    report("everything with all metadata", None, lambda: made.details("loras"))
    made.close()
    made = studio_over(many)
    report("cards, first time after a restart", LIST_S, lambda: made.cards.search("loras", "alias 9999", limit=100))
    made.close()


def report(title: str, limit: float | None, work: Callable[[], object]) -> None:
    took = seconds(work)
    print(f"{title:36}{took:8.3f} s" + (f"   {took / limit:6.2f} x the limit" if limit else ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="an existing folder for 300 MB of temporary files")
    parser.add_argument("--starts", type=int, default=3, help="how often each studio is started")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(Path(folder), options.files, options.starts)


if __name__ == "__main__":
    main()
