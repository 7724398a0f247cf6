"""What is typed comes back from the server, presets fill a tab, and fields follow the kind of the checkpoint."""

from __future__ import annotations

import json

import pytest

from tests.gui.conftest import ready
from tests.gui.stand_in import StandIn, gradient, png

pytestmark = pytest.mark.browser

PROMPT = "#txt2img_prompt textarea"


def set_number(page, elem_id: str, value: float) -> None:
    box = page.locator(f"#{elem_id} input[type=number]")
    box.fill(str(value))
    box.blur()


def has(page, elem_id: str, value: float) -> None:
    page.wait_for_function(
        "([id, value]) => document.querySelector(`#${id} input[type=number]`)?.value === value",
        arg=[elem_id, str(value)],
    )


def kept(page, tab: str = "txt2img") -> None:
    """Waits until the server has the draft: nothing waits in the browser any more."""
    page.wait_for_timeout(600)
    page.wait_for_function("tab => !localStorage.getItem(`atelier.draft.${tab}`)", arg=tab)


def test_another_tab_of_the_browser_begins_where_this_one_is(visit, tmp_path, studio: StandIn) -> None:
    visitor = visit()
    page = visitor.open()
    page.fill(PROMPT, "kept by the server")
    set_number(page, "txt2img_steps", 33)
    page.click("#tab_img2img-button")
    path = tmp_path / "boat.png"
    path.write_bytes(png(gradient(64, 48, 3, 1.0), ""))
    page.set_input_files("#img2img_image input[type=file]", path)
    page.wait_for_selector("#img2img_image .canvas.filled")
    kept(page)
    kept(page, "img2img")
    # Nothing but the cookie is left of it in the browser.
    page.evaluate("document.body.dataset.draft = ''; localStorage.clear()")
    other = visitor.open()
    assert other.input_value(PROMPT) == "kept by the server"
    has(other, "txt2img_steps", 33)
    other.click("#tab_img2img-button")
    other.wait_for_selector("#img2img_image .canvas.filled")


def test_what_was_typed_while_the_server_was_away_is_not_lost(visit) -> None:
    page = visit().open()
    page.route("**/internal/gui/drafts/**", lambda route: route.abort())
    page.fill(PROMPT, "typed without a server")
    page.wait_for_function("localStorage.getItem('atelier.draft.txt2img')?.includes('typed without')")
    page.unroute("**/internal/gui/drafts/**")
    page.reload()
    ready(page)
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'typed without a server'")


def test_another_browser_has_drafts_of_its_own(visit) -> None:
    page = visit().open()
    page.fill(PROMPT, "mine")
    kept(page)
    assert visit().open().input_value(PROMPT) == ""


def test_a_preset_is_saved_applied_and_deleted(page, studio: StandIn) -> None:
    page.fill(PROMPT, "tall portrait")
    set_number(page, "txt2img_height", 768)
    page.wait_for_timeout(300)
    page.click("#open_presets")
    page.fill("#presets_name", "Portrait 人像")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Portrait 人像", exact=True).wait_for()
    page.keyboard.press("Escape")
    file = studio.folder / "presets" / "txt2img" / "Portrait 人像.json"
    assert json.loads(file.read_text(encoding="utf-8"))["height"] == 768
    page.fill(PROMPT, "something else")
    set_number(page, "txt2img_height", 512)
    page.click("#open_presets")
    page.get_by_role("button", name="Portrait 人像", exact=True).click()
    has(page, "txt2img_height", 768)
    assert page.input_value(PROMPT) == "tall portrait"
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#open_presets")
    page.click("#presets li .notice-close")
    page.locator("#presets .settings-empty").wait_for()
    assert not file.exists()


def test_fields_follow_the_kind_of_the_checkpoint_unless_they_were_set(visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """SD 1.5 is left for a kind that is larger and has a guidance scale of its own, and chosen again."""
    one = {"width": 512, "height": 512, "steps": 20, "cfg_scale": 7.0, "sampler": "DPM++ 2M", "scheduler": "Automatic"}
    large = {**one, "width": 1024, "height": 1024, "cfg_scale": 1.0, "sampler": "Euler", "distilled_cfg_scale": 3.5}
    known = {
        "small": {"family": "SD 1.x", "values": one, "distilled": False, "edits": False, "apply": True},
        "flux": {"family": "FLUX.1", "values": large, "distilled": True, "edits": True, "apply": True},
    }
    chosen = ["small"]
    visitor = visit()
    visitor.context.route("**/internal/gui/family", lambda route: route.fulfill(json=known[chosen[0]]))
    page = visitor.open()
    has(page, "txt2img_width", 512)
    assert not page.is_visible("#txt2img_distilled_cfg_scale")
    set_number(page, "txt2img_steps", 31)
    set_number(page, "txt2img_height", 640)
    page.wait_for_timeout(200)
    chosen[0] = "flux"
    page.evaluate("window.atelier.handle('checkpointChanged', [])")
    has(page, "txt2img_width", 1024)
    has(page, "txt2img_cfg_scale", 1)
    page.wait_for_selector("#txt2img_distilled_cfg_scale", state="visible")
    assert page.evaluate("document.body.dataset.edits") == "yes"
    has(page, "txt2img_steps", 31)
    has(page, "txt2img_height", 640)
    assert page.input_value("#txt2img_sampling input") == "Euler"
    page.locator(".toast", has_text="Set for FLUX.1: 1024, 1, Euler").wait_for()
    chosen[0] = "small"
    page.evaluate("window.atelier.handle('checkpointChanged', [])")
    has(page, "txt2img_width", 512)
    has(page, "txt2img_height", 640)
