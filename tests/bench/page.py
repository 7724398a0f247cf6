# ruff: noqa: T201 - it reports on the terminal
"""The whole page in Chromium against an empty Gradio page, opened in turn; and one paste that fills every field.

    python tests/bench/page.py [--runs 5]

Interactive: the Generate button is there, drafts are loaded, and the main thread has been free for a moment. Every
visit has a fresh profile (nothing cached). Transferred: bytes of HTML and JSON up to then, as they came over the wire.
Limits: 3 s, 1.5 MB, Blocks built in 2 s of CPU, a paste in 300 ms.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
EMPTY = """
import gradio as gr, sys
with gr.Blocks(analytics_enabled=False) as demo:
    gr.Textbox(elem_id="prompt"); gr.Button("Generate", elem_id="generate")
demo.launch(server_port=int(sys.argv[1]), quiet=True, ssr_mode=False)
"""
BUILD = """
import time
from tests.gui.serving import app_of
from tests.gui.stand_in import StandIn
from pathlib import Path
import gradio, modules.gui.page
from modules.gui.page import build
studio = StandIn(Path("{folder}"))
built, _ = build(studio)
began = time.process_time(); build(studio); print(time.process_time() - began)
"""
TEXT = (
    "a red apple, (blue sky:1.2)\\nNegative prompt: blurry, text\\nSteps: 31, Sampler: DPM++ 2M, "
    "Schedule type: Karras, CFG scale: 5.5, Seed: 12345, Size: 640x448, Denoising strength: 0.4, Clip skip: 2, "
    "Hires upscale: 1.5, Hires steps: 9, Hires upscaler: Latent, Variation seed: 7, Variation seed strength: 0.2"
)
FREE = """() => new Promise((done) => {
    const began = performance.now();
    let last = began;
    const beat = () => {
        const now = performance.now();
        if (now - last > 50) last = now, quiet = 0;
        quiet = now - last > 50 ? 0 : quiet + (now - last);
        last = now;
        if (quiet > 100) return done(now - quiet);
        setTimeout(beat, 5);
    };
    let quiet = 0;
    beat();
})"""


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    where = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(where, timeout=60).read()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        yield where
    finally:
        server.kill()
        server.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def visit(browser: Browser, where: str, ready: str) -> tuple[Page, float, int]:
    """The open page, milliseconds until it was interactive, and bytes of HTML and JSON on the wire."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}, locale="en-US").new_page()
    weight = 0

    def count(response: Any) -> None:
        nonlocal weight
        if any(kind in response.headers.get("content-type", "") for kind in ("html", "json")):
            weight += int(response.headers.get("content-length") or 0)

    page.on("response", count)
    page.goto(where, wait_until="commit")
    page.wait_for_function(ready, polling=20)
    return page, float(page.evaluate(FREE)), weight


def paste(page: Page) -> float:
    """Milliseconds from the click on the arrow to all fields holding what the text says."""
    page.fill("#txt2img_prompt textarea", TEXT.replace("\\n", "\n"))
    page.wait_for_timeout(1500)
    return float(
        page.evaluate(
            """() => new Promise((done) => {
                const began = performance.now();
                const value = (id) => document.querySelector(`#${id} input, #${id} textarea`)?.value;
                const look = () => {
                    if (value("txt2img_steps") === "31" && value("txt2img_width") === "640"
                        && value("txt2img_seed") === "12345"
                        && value("txt2img_neg_prompt") === "blurry, text") return done(performance.now() - began);
                    setTimeout(look, 2);
                };
                document.getElementById("paste").click();
                look();
            })"""
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        code = BUILD.format(folder=folder)
        built = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        print(f"Blocks built in {float(built.stdout.split()[-1]):.2f} s of CPU (limit 2)")
        ours, empty = free_port(), free_port()
        ours_command = [sys.executable, "webui.py", "--port", str(ours), "--data-dir", folder]
        with (
            running([*ours_command, "--models-dir", str(ROOT / "models")], ours) as page_at,
            running([sys.executable, "-c", EMPTY, str(empty)], empty) as empty_at,
            sync_playwright() as playwright,
        ):
            program = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
            pages: list[float] = []
            plain: list[float] = []
            pastes: list[float] = []
            for _ in range(runs):
                page, took, weight = visit(browser, page_at, "document.body && document.body.dataset.draft")
                pages.append(took)
                pastes.append(paste(page))
                page.context.close()
                page, took, _ = visit(browser, empty_at, "document.querySelector('#generate')")
                plain.append(took)
                page.context.close()
            browser.close()
    print("ours  ", [round(one) for one in pages], "ms; empty", [round(one) for one in plain], "ms")
    print(
        f"ratio of medians {statistics.median(pages) / statistics.median(plain):.2f}, HTML+JSON {weight / 1024:.0f} KB"
    )
    print("paste ", [round(one) for one in pastes], "ms (limit 300)")


if __name__ == "__main__":
    main()
