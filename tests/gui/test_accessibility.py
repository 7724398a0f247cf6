"""People who use a keyboard or a screen reader: axe-core finds nothing serious, and a picture needs no mouse.

axe-core comes from the npm registry; it is looked for where ATELIER_AXE says, or unpacked once into the temporary
folder of this user (`npm pack axe-core`). Without either, the checks that need it are skipped.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gui.conftest import Visitor
from tests.gui.stand_in import StandIn

pytestmark = pytest.mark.browser

TABS = (
    *("txt2img", "img2img", "extras", "pnginfo", "modelmerger", "train"),
    *("library", "models", "queue", "extensions", "settings"),
)
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def axe() -> str:
    """The checker's script."""
    given = os.environ.get("ATELIER_AXE")
    path = Path(given) if given else Path(tempfile.gettempdir()) / "atelier-axe" / "axe.min.js"
    if not path.is_file() and not given:
        _fetch(path)
    if not path.is_file():
        pytest.skip("axe-core is not here: `npm pack axe-core` found none, and ATELIER_AXE names no axe.min.js")
    return path.read_text(encoding="utf-8")


def _fetch(path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = subprocess.run(
        [npm, "pack", "axe-core", "--silent"], cwd=path.parent, capture_output=True, text=True, timeout=60, check=False
    )
    archive = path.parent / packed.stdout.strip().rpartition("\n")[2]
    if packed.returncode or not archive.is_file():
        return
    with tarfile.open(archive) as tar:
        found = tar.extractfile("package/axe.min.js")
        path.write_bytes((found or io.BytesIO()).read())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_has_a_serious_fault(browser, address: str, studio: StandIn, axe: str, scheme: str) -> None:
    visitor = Visitor(browser, address, color_scheme=scheme)
    page = visitor.open()
    page.evaluate(axe)
    faults = []
    for tab in TABS:
        page.click(f"#tab_{tab}-button")
        page.wait_for_function("tab => document.querySelector(`#tab_${tab}`)?.checkVisibility()", arg=tab)
        page.wait_for_timeout(300)
        for fault in page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]:
            if fault["impact"] in SERIOUS:
                faults += [f"{tab}: {fault['help']}: {node['html'][:160]}" for node in fault["nodes"]]
    visitor.context.close()
    assert not faults, "\n".join(faults)


def test_a_picture_needs_no_mouse(page, studio: StandIn) -> None:
    """Tab leads to the prompt; text, the arrow button, Generate and Save are reached and pressed by keys alone."""
    studio.lists["checkpoints"].append("downloaded.safetensors")
    studio.drawn.clear()
    reach(page, "refresh_sd_model_checkpoint")
    page.keyboard.press("Enter")
    reach(page, "setting_sd_model_checkpoint", back=True)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("downl")
    page.get_by_role("option", name="downloaded.safetensors").wait_for()
    page.keyboard.press("ArrowDown")
    page.locator("#setting_sd_model_checkpoint [role=option].active").wait_for()
    page.keyboard.press("Enter")
    # The whole name: what was typed alone would do for its beginning.
    page.wait_for_function(
        "document.querySelector('#setting_sd_model_checkpoint input').value === 'downloaded.safetensors'"
    )
    becomes(lambda: studio.settings["sd_model_checkpoint"], "downloaded.safetensors")
    reach(page, "txt2img_prompt")
    page.keyboard.insert_text("a boat\nNegative prompt: fog\nSteps: 7, Sampler: Euler a, CFG scale: 5.5, Seed: 4242")
    reach(page, "paste")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'a boat'")
    reach(page, "txt2img_generate", back=True)
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#html_info_txt2img .said')?.textContent === 'a boat'")
    assert [(one.prompt, one.negative_prompt, one.steps, one.seed) for one in studio.drawn] == [
        ("a boat", "fog", 7, 4242)
    ]
    reach(page, "save_txt2img")
    page.keyboard.press("Space")
    page.locator(".toast", has_text="1 saved in").wait_for()


def becomes(asked: Callable[[], object], wanted: object, seconds: float = 20) -> None:
    """Waits until the server has heard: what was chosen goes there in an event of its own."""
    deadline = time.monotonic() + seconds
    while asked() != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert asked() == wanted


def reach(page, elem_id: str, back: bool = False, most: int = 120) -> None:
    """Presses Tab until the focus is on `elem_id` or inside of it, and can be seen there."""
    for _ in range(most):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if page.evaluate("id => document.getElementById(id)?.contains(document.activeElement)", elem_id):
            ring = page.evaluate(
                "() => { const style = getComputedStyle(document.activeElement);"
                " return style.outlineStyle !== 'none' || style.boxShadow !== 'none' }"
            )
            assert ring, f"the focus on {elem_id} cannot be seen"
            return
    raise AssertionError(f"{most} presses of Tab do not reach {elem_id}")
