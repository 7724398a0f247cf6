"""The Extras tab as a person uses it: a picture goes in, the gallery shows what came out, and it goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.terms.extras import TO
from tests.gui.conftest import ready
from tests.gui.stand_in import StandIn, gradient, png

pytestmark = pytest.mark.browser

MADE_BY = "a boat\nSteps: 7, Sampler: Euler a, CFG scale: 5.5, Seed: 4242, Size: 64x48"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "boat.png"
    path.write_bytes(png(gradient(64, 48, 3, 1.0), MADE_BY))
    return path


@pytest.fixture
def extras(page, studio: StandIn):
    """The open tab; nothing was asked of the studio yet."""
    studio.asked.clear()
    page.click("#tab_extras-button")
    page.wait_for_selector("#extras_generate")
    return page


def shows(page, text: str) -> None:
    page.wait_for_function("text => document.querySelector('#html_info_extras').innerText.includes(text)", arg=text)


def test_a_picture_is_worked_on_and_sent_on(extras, studio: StandIn, picture: Path) -> None:
    extras.set_input_files("#extras_image input[type=file]", picture)
    extras.wait_for_selector("#extras_image .canvas[data-filled], #extras_image canvas")
    extras.click("#extras_scale_to_tab-button")
    extras.fill("#extras_upscaling_resize_w input[type=number]", "640")
    extras.locator("#extras_upscaling_resize_w input[type=number]").blur()
    extras.click("#extras_generate")
    shows(extras, "Postprocess upscale by: 2")
    (request,) = studio.asked
    assert request.upscaling is not None
    assert (request.upscaling.mode, request.upscaling.width) == (TO, 640)
    assert (request.pictures[0].name, request.pictures[0].texts["parameters"]) == ("boat", MADE_BY)
    assert request.faces is None
    extras.click("#extras_send_to_img2img")
    extras.wait_for_function("document.querySelector('#img2img_prompt textarea')?.value === 'a boat'")


def test_what_was_chosen_is_there_after_a_reload(extras, studio: StandIn) -> None:
    extras.click("#extras_scale_to_tab-button")
    extras.click("#extras_flips")
    extras.wait_for_selector("#extras_flips_ways", state="visible")
    extras.wait_for_timeout(600)
    extras.reload()
    ready(extras)
    extras.click("#tab_extras-button")
    extras.wait_for_selector("#extras_upscaling_resize_w", state="visible")
    extras.wait_for_selector("#extras_flips_ways", state="visible")
    assert not extras.is_visible("#extras_codeformer_weight")


def test_several_files_go_in_at_once(extras, studio: StandIn, picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(png(gradient(32, 32, 4, 1.0), ""))
    extras.click("#extras_batch_process_tab-button")
    extras.set_input_files("#extras_image_batch input[type=file]", [picture, other])
    extras.wait_for_function("document.querySelectorAll('#extras_image_batch .file').length === 2")
    extras.click("#extras_generate")
    extras.wait_for_function("document.querySelectorAll('#extras_gallery .thumbnail-small').length === 2")
    assert [one.name for one in studio.asked[-1].pictures] == ["boat", "other"]


def test_without_a_picture_it_says_so(extras, studio: StandIn) -> None:
    extras.click("#extras_generate")
    extras.wait_for_selector(".toast.error")
    assert "no picture to work on" in extras.inner_text(".toast.error")
    assert studio.asked == []
