# ruff: noqa: T201 - it reports on the terminal
"""What a folder of extensions adds to the start and to the page, against what their own code takes.

    python tests/bench/extensions.py FOLDER [--runs 3]

FOLDER is a data folder with extensions/ in it (and extension-packages/, if they need any); `git clone` fills it. Starts
with and without them alternate, each in a fresh process and up to the built page, torch and Gradio imported before.
Their own code: the bodies of their scripts, then what ui() and their callbacks take. CPU seconds, which hold on a busy
machine; medians. Goal: what the studio adds is at most 15 % of their imports.
Weight: bytes of their scripts and styles in the browser, and of their components in the page's configuration.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
GOAL = 0.15


@dataclass
class Own:
    """What the code of extensions takes. now: the one whose code runs; components: ids by extension."""

    imports: dict[str, float] = field(default_factory=dict)
    building: dict[str, float] = field(default_factory=dict)
    components: dict[str, set[int]] = field(default_factory=dict)
    now: str = ""

    @contextmanager
    def running(self, name: str, table: dict[str, float]) -> Iterator[None]:
        """Within: time and components are those of extension `name`, unless another's code has called it."""
        from gradio.context import Context

        if self.now or not name or name == "base":
            yield
            return
        self.now, began, first = name, time.process_time(), Context.id
        try:
            yield
        finally:
            self.now = ""
            table[name] = table.get(name, 0.0) + time.process_time() - began
            self.components.setdefault(name, set()).update(range(first, Context.id))


def start(data: Path) -> None:
    """Starts a studio on `data` as webui.py does, up to the built page; prints what it took as JSON."""
    sys.path.insert(0, str(ROOT))
    import fastapi  # noqa: F401 - not to be paid below
    import gradio as gr
    import torch  # noqa: F401 - the same

    from modules.a1111 import loading
    from modules.a1111.host import install
    from modules.gui.page import mount
    from modules.sdapi.server import make_app
    from modules.studio.extensions.preload import preloads
    from modules.studio.flags import parse_flags
    from modules.studio.studio import Studio

    own = Own()
    began = time.process_time()
    arguments = ["--data-dir", str(data), "--ckpt-dir", str(ROOT / "models" / "Stable-diffusion")]
    studio = Studio(parse_flags(arguments, preloads=preloads(arguments)))
    host = install(studio)
    name_of, load = studio.extensions.name_of, loading.load_module

    def timed_load(path: str) -> Any:
        with own.running(name_of(path), own.imports):
            return load(path)

    loading.load_module = timed_load
    host.load()
    watch_callbacks(own, name_of)
    app = make_app(studio)
    demo = mount(app, studio)
    host.app_started(demo, app)
    seconds = time.process_time() - began
    studio.close()
    active = studio.extensions.active()
    config = {one["id"]: len(json.dumps(one, default=str)) for one in demo.config["components"]}
    for one in demo.config["dependencies"]:
        for target, _ in one["targets"][:1]:
            config[target] = config.get(target, 0) + len(json.dumps(one, default=str))
    weights = {
        one.canonical_name: {
            "scripts": sum(path.stat().st_size for path in one.files("javascript", ".js", ".mjs")),
            "styles": sum(path.stat().st_size for path in [one.path / "style.css"] if path.is_file()),
            "configuration": sum(config.get(number, 0) for number in own.components.get(one.canonical_name, ())),
        }
        for one in active
    }
    failed = {one.name: [failure.sentence for failure in studio.extensions.failures(one.name)] for one in active}
    print(
        json.dumps(
            {
                "seconds": seconds,
                "imports": own.imports,
                "building": own.building,
                "weights": weights,
                "page": sum(config.values()),
                "failed": {name: told for name, told in failed.items() if told},
                "gradio": gr.__version__,
            }
        )
    )


def watch_callbacks(own: Own, name_of: Callable[[str], str]) -> None:
    """From now on callbacks and ui() of extensions are counted as their own."""
    from modules import script_callbacks, scripts  # type: ignore[attr-defined] # the host makes them importable

    def counted(function: Callable[..., Any], file: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def counting(*arguments: Any, **more: Any) -> Any:
            with own.running(name_of(file), own.building):
                return function(*arguments, **more)

        return counting

    for registered in script_callbacks.callback_map.values():
        for one in registered:
            one.callback = counted(one.callback, one.script)
    for one in scripts.scripts_data:
        kind = one.script_class
        for method in ("ui", "before_component", "after_component", "show"):
            if method in vars(kind):
                setattr(kind, method, counted(vars(kind)[method], str(one.path)))


def measured(data: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--start", str(data)], check=True, capture_output=True, encoding="utf-8", cwd=ROOT
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--start", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.start:
        start(asked.folder.resolve())
        return
    without, with_them = [], []
    for _ in range(asked.runs):
        with tempfile.TemporaryDirectory() as empty:
            without.append(measured(Path(empty)))
        with_them.append(measured(asked.folder.resolve()))
    alone = statistics.median(one["seconds"] for one in without)
    together = statistics.median(one["seconds"] for one in with_them)
    imports = statistics.median(sum(one["imports"].values()) for one in with_them)
    building = statistics.median(sum(one["building"].values()) for one in with_them)
    last = with_them[-1]
    print(f"{'extension':45} {'imports s':>9} {'building s':>10} {'scripts':>9} {'styles':>8} {'configuration':>13}")
    for name, weight in sorted(last["weights"].items()):
        bytes_of = f"{weight['scripts']:9} {weight['styles']:8} {weight['configuration']:13}"
        print(f"{name:45} {last['imports'].get(name, 0):9.2f} {last['building'].get(name, 0):10.2f} {bytes_of}")
    for name, told in last["failed"].items():
        print(f"{name} failed: {'; '.join(told)}")
    added = together - alone - imports - building
    print(f"page: {last['page']} bytes of configuration with them, {without[-1]['page']} without")
    print(f"start: {alone:.2f} s without, {together:.2f} s with {len(last['weights'])} extensions")
    print(f"their own imports {imports:.2f} s, their own building of the page {building:.2f} s")
    print(f"the studio adds {added:.2f} s, {added / imports:.1%} of their imports (goal: at most {GOAL:.0%})")


if __name__ == "__main__":
    main()
