"""Details, soft inpainting, batches and the upscale button, used on the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from modules.terms.detail import DetailPass, DetailUnit
from modules.terms.picture_batch import PictureBatch
from tests.gui.conftest import ready
from tests.gui.stand_in import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def drawn(page: Page, studio: StandIn, tab: str = "txt2img") -> Any:
    """The request of the job that a press of Generate starts."""
    before = len(studio.drawn)
    page.locator(f"#{tab}_generate").click()
    page.wait_for_function("tab => document.querySelector(`#${tab}_results`).dataset.filled === 'yes'", arg=tab)
    assert len(studio.drawn) == before + 1
    return studio.drawn[-1]


def test_the_accordion_asks_for_details_and_a_text_opens_it(page: Page, studio: StandIn) -> None:
    page.locator("#script_txt2img_adetailer_ad_main_accordion button.label-wrap").first.click()
    # Fields that are shown but not filled in ask for nothing, too.
    page.locator("#script_txt2img_adetailer_ad_unit_1 summary").click()
    steps = page.locator("#script_txt2img_adetailer_ad_steps input")
    steps.wait_for()
    assert steps.input_value() == ""
    steps.fill("9")
    steps.blur()
    steps.fill("")
    page.locator("#script_txt2img_adetailer_ad_prompt textarea").fill("a face")
    page.locator("#script_txt2img_adetailer_ad_denoising_strength input[type=number]").fill("0.3")
    page.locator("#txt2img_prompt textarea").fill("two people")
    assert drawn(page, studio).detail == DetailPass((DetailUnit(prompt="a face", denoising_strength=0.3),))


def test_a_pasted_text_opens_the_accordion_and_fills_it(page: Page, studio: StandIn) -> None:
    text = (
        "two people\nSteps: 2, Sampler: Euler, Seed: 7, Size: 64x64, ADetailer model: face, "
        "ADetailer prompt: a smile, ADetailer mask blur: 9"
    )
    page.locator("#txt2img_prompt textarea").fill(text)
    page.locator("#paste").click()
    prompt = page.locator("#script_txt2img_adetailer_ad_prompt textarea")
    prompt.wait_for(state="visible")
    assert prompt.input_value() == "a smile"
    asked = drawn(page, studio)
    assert asked.detail.units[0].mask_blur == 9
    assert asked.prompt == "two people"
    # The panel is open by now: it follows, with as many units as the text has.
    more = ", ".join(
        f"ADetailer model{ending}: person, ADetailer prompt{ending}: {ending}" for ending in (" 2nd", " 3rd")
    )
    page.locator("#txt2img_prompt textarea").fill(f"{text.replace('a smile', 'a frown')}, {more}")
    page.locator("#paste").click()
    page.locator("#script_txt2img_adetailer_ad_unit_3-button").click()
    assert prompt.input_value() == "a frown"
    assert page.locator("#script_txt2img_adetailer_ad_prompt_3rd textarea").input_value() == "3rd"
    assert [unit.model for unit in drawn(page, studio).detail.units] == ["face", "person", "person"]


def test_units_come_back_after_a_reload_and_lists_stay_fresh(page: Page, studio: StandIn) -> None:
    page.locator("#tab_img2img-button").click()
    page.locator("#script_img2img_adetailer_ad_main_accordion button.label-wrap").first.click()
    page.locator("#script_img2img_adetailer_ad_skip_img2img input").check()
    page.locator("#script_img2img_adetailer_ad_unit_2-button").click()
    model = page.locator("#script_img2img_adetailer_ad_model_2nd select")
    model.select_option(label="person")
    page.locator("#script_img2img_adetailer_ad_prompt_2nd textarea").fill("a person")
    studio.lists["detectors"] = ["face", "hand"]
    page.evaluate("document.getElementById('refresh_choices').click()")
    model.locator("option", has_text="hand").wait_for(state="attached")
    # What was chosen stays, though it is not offered any more.
    assert model.evaluate("box => box.selectedOptions[0].textContent") == "person"
    page.wait_for_function(
        "fetch('internal/gui/drafts').then((answer) => answer.text()).then((text) => text.includes('a person'))"
    )
    page.reload()
    ready(page)
    page.locator("#tab_img2img-button").click()
    prompt = page.locator("#script_img2img_adetailer_ad_prompt_2nd textarea")
    page.locator("#script_img2img_adetailer_ad_unit_2-button").click()
    assert prompt.input_value() == "a person"
    assert page.locator("#script_img2img_adetailer_ad_skip_img2img input").is_checked()


def test_a_number_counts_while_it_is_still_being_typed(page: Page, studio: StandIn) -> None:
    page.locator("#txt2img_prompt textarea").fill("two people")
    page.locator("#script_txt2img_adetailer_ad_main_accordion button.label-wrap").first.click()
    number = page.locator("#script_txt2img_adetailer_ad_mask_blur input[type=number]")
    number.fill("11")
    before = len(studio.drawn)
    number.press("Control+Enter")
    page.wait_for_function("() => document.querySelector('#txt2img_results').dataset.filled === 'yes'")
    assert [asked.detail.units[0].mask_blur for asked in studio.drawn[before:]] == [11]


def test_the_upscale_button_starts_hires_over_the_picture(page: Page, studio: StandIn) -> None:
    page.locator("#txt2img_prompt textarea").fill("a boat")
    first = drawn(page, studio)
    assert first.hires is None
    before = len(studio.drawn)
    page.locator("#txt2img_upscale").click()
    page.wait_for_function("() => document.querySelector('#html_info_txt2img')?.dataset.text")
    for _ in range(100):
        if len(studio.drawn) > before:
            break
        page.wait_for_timeout(50)
    asked = studio.drawn[-1]
    assert asked.hires is not None
    assert asked.hires.picture.size == (first.width, first.height)
    assert asked.seed >= 0


def test_uploaded_pictures_go_through_img2img(page: Page, studio: StandIn, tmp_path: Path) -> None:
    for name in ("one", "two"):
        Image.new("RGB", (64, 64), "red").save(tmp_path / f"{name}.png")
    page.locator("#tab_img2img-button").click()
    page.locator("#img2img_batch_tab-button").click()
    page.locator("#img2img_batch_upload input[type=file]").set_input_files([tmp_path / "one.png", tmp_path / "two.png"])
    page.locator("#img2img_batch_upload .file-preview tr").nth(1).wait_for()
    page.locator("#img2img_prompt textarea").fill("a boat")
    page.locator("#img2img_generate").click()
    page.wait_for_function("() => document.querySelector('#img2img_results').dataset.filled === 'yes'")
    (batch,) = studio.batches
    assert isinstance(batch, PictureBatch)
    assert sorted(picture.name for picture in batch.pictures) == ["one", "two"]
    assert batch.request.prompt == "a boat"


def test_the_picture_of_the_open_mode_is_described_as_the_prompt(page: Page, studio: StandIn, tmp_path: Path) -> None:
    Image.new("RGB", (48, 32), "red").save(tmp_path / "red.png")
    page.locator("#tab_img2img-button").click()
    page.locator("#img2img_image input[type=file]").set_input_files(tmp_path / "red.png")
    page.wait_for_selector("#img2img_image .canvas.filled")
    page.locator("#interrogate").click()
    prompt = page.locator("#img2img_prompt textarea")
    page.wait_for_function("() => document.querySelector('#img2img_prompt textarea').value !== ''")
    assert prompt.input_value() == "CLIP of 48x32"
    page.locator("#deepbooru").click()
    page.wait_for_function("() => document.querySelector('#img2img_prompt textarea').value.startsWith('Deepbooru')")
