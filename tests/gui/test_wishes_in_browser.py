"""Settings about the page change the page: on a server that was started with them, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gui.conftest import Visitor
from tests.gui.serving import app_of, served
from tests.gui.stand_in import StandIn, gradient, png

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WISHES = {
    "samplers_in_dropdown": False,
    "dimensions_and_batch_together": False,
    "hires_fix_show_sampler": True,
    "txt2img_settings_accordion": True,
    "sd_checkpoint_dropdown_use_short": True,
    "extra_options_txt2img": ["CLIP_stop_at_last_layers", "face_restoration_model"],
    "extra_options_accordion": False,
    "canvas_hotkey_grow_brush": "G",
    "canvas_hotkey_adjust": "Shift",
    "canvas_disabled_functions": ["Overlap", "Hotkey shrink brush"],
}


@pytest.fixture(scope="module")
def wished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    studio = StandIn(tmp_path_factory.mktemp("wished"))
    studio.lists["checkpoints"].append("people/old/b.safetensors [89abcdef01]")
    studio.set_options(WISHES)
    yield studio
    studio.jobs.close()


@pytest.fixture(scope="module")
def visitor(wished: StandIn, browser) -> Iterator[Visitor]:
    with served(app_of(wished)) as address:
        visitor = Visitor(browser, address)
        yield visitor
        visitor.context.close()
    assert visitor.faults == []


def test_the_form_looks_as_it_was_wished_for(wished: StandIn, visitor: Visitor) -> None:
    page = visitor.open()
    assert page.locator("#txt2img_sampling").count() == 0
    page.locator("#txt2img_settings_accordion > button, #txt2img_settings_accordion .label-wrap").first.click()
    samplers = page.locator("#txt2img_sampling input[type=radio]")
    samplers.first.wait_for()
    assert samplers.count() == 3
    page.locator("#txt2img_sampling").get_by_label("Euler a").check()
    assert page.locator("#txt2img_dimensions_row #txt2img_batch_count").count() == 0
    assert page.locator("#txt2img_batch_row #txt2img_batch_count").is_visible()

    page.fill("#txt2img_prompt textarea", "a wish")
    clip_skip = page.locator("#txt2img_extra_option_CLIP_stop_at_last_layers input[type=number]")
    clip_skip.fill("2")
    clip_skip.blur()
    page.click("#txt2img_generate")
    page.wait_for_function("document.querySelector('#html_info_txt2img .said')?.textContent === 'a wish'")
    assert wished.drawn[-1].sampler == "Euler a"
    assert wished.drawn[-1].settings == {"CLIP_stop_at_last_layers": 2}

    page.locator("#txt2img_hr .label-wrap").first.click()
    page.wait_for_selector("#hr_sampler")
    assert page.locator("#hires_prompt").count() == 0


def test_checkpoints_are_shown_without_their_folder(wished: StandIn, visitor: Visitor) -> None:
    page = visitor.open()
    page.click("#setting_sd_model_checkpoint input")
    page.get_by_role("option", name="b.safetensors").click()
    page.wait_for_function("document.querySelector('#setting_sd_model_checkpoint input').value.startsWith('b.safe')")
    page.locator("#txt2img_prompt textarea").click()
    for _ in range(100):
        if wished.settings["sd_model_checkpoint"].startswith("people/"):
            break
        page.wait_for_timeout(50)
    assert wished.settings["sd_model_checkpoint"] == "people/old/b.safetensors [89abcdef01]"


def test_keys_of_the_canvas_are_those_that_were_chosen(visitor: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png(gradient(400, 300, 5, 1.0), ""))
    page = visitor.open()
    page.click("#tab_img2img-button")
    page.locator("#mode_img2img").get_by_role("tab", name="Inpaint", exact=True).click()
    page.wait_for_selector("#img2maskimg .canvas input[type=file]", state="attached")
    page.set_input_files("#img2maskimg .canvas input[type=file]", str(path))
    page.wait_for_selector("#img2maskimg .canvas-empty", state="hidden")
    size = page.get_by_role("slider", name="Brush size").first
    screen = page.locator("#img2maskimg .canvas-screen")
    screen.hover()

    def pressed(key: str) -> float:
        before = float(size.input_value())
        page.keyboard.press(key)
        return float(size.input_value()) - before

    assert pressed("g") > 0
    assert pressed("w") == pressed("q") == 0
    before = float(size.input_value())
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 300)
    page.keyboard.up("Shift")
    page.wait_for_function(
        "before => Number(document.querySelector('#img2maskimg input[type=range]').value) !== before", arg=before
    )
    words = page.locator("#img2maskimg .canvas-keys").get_attribute("title")
    assert "G: larger brush" in words
    assert "Shift + wheel: brush size" in words
    assert "smaller brush" not in words


def test_the_border_between_settings_and_results_is_dragged_and_put_back(visitor: Visitor) -> None:
    page = visitor.open()
    border = page.locator("#txt2img_settings > .column-border")
    border.wait_for()

    def width() -> float:
        return page.locator("#txt2img_settings").bounding_box()["width"]

    usual = width()
    at = border.bounding_box()
    page.mouse.move(at["x"] + 6, at["y"] + 10)
    page.mouse.down()
    page.mouse.move(at["x"] - 144, at["y"] + 10, steps=4)
    page.mouse.up()
    assert width() < usual - 100
    narrow = width()
    page.reload()
    border.wait_for()
    assert abs(width() - narrow) < 4
    border.dblclick(position={"x": 6, "y": 10})
    assert abs(width() - usual) < 4
