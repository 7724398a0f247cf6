"""The panel as a person uses it: a picture, its map, and a drawing that it steers, on a real studio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modules.studio.flag_table import Flags
from modules.studio.studio import Studio
from tests.control.conftest import Steered
from tests.gui.conftest import Visitor, browser, ready  # noqa: F401 - a fixture
from tests.gui.serving import app_of, served

pytestmark = pytest.mark.browser

pytestmark = pytest.mark.slow  # it opens the page more than once
UNIT = "#txt2img_controlnet_ControlNet-0"


@pytest.fixture(scope="module")
def studio(steered: Steered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    studio = Studio(Flags(data_dir=folder, models_dir=steered.controls.parent, use_cpu=("all",)))
    studio.start()
    yield studio
    studio.close()


@pytest.fixture
def page(browser, studio: Studio) -> Iterator[object]:  # noqa: F811 - the fixture
    with served(app_of(studio)) as address:
        visitor = Visitor(browser, address)
        yield visitor.open()
        visitor.context.close()
        assert visitor.faults == []


@pytest.fixture
def drawing_file(tmp_path: Path) -> Path:
    image = Image.new("RGB", (96, 64), "white")
    ImageDraw.Draw(image).rectangle((20, 10, 60, 50), fill="black")
    image.save(tmp_path / "drawing.png")
    return tmp_path / "drawing.png"


def number(page, elem_id: str, value: float) -> None:
    box = page.locator(f"#{elem_id} input[type=number]")
    box.fill(str(value))
    box.blur()


def generated(page, studio: Studio) -> tuple[np.ndarray, str, int]:
    """Pixels and text of the first picture of the next job, and how many pictures it has."""
    before = len(studio.jobs.history())
    page.click("#txt2img_generate")
    for _ in range(200):
        if len(studio.jobs.history()) > before:
            break
        page.wait_for_timeout(50)
    newest = studio.jobs.history()[0].id
    studio.jobs.wait(newest, 60)
    job = studio.jobs.get(newest)
    assert job is not None and job.result is not None
    images = job.result["images"]
    return np.asarray(Image.open(images[0]["path"]).convert("RGB")), images[0]["infotext"], len(images)


def test_a_picture_its_map_and_what_it_steers(page, studio: Studio, drawing_file: Path) -> None:
    page.fill("#txt2img_prompt textarea", "a house")
    for elem_id, value in (("steps", 2), ("width", 96), ("height", 64), ("seed", 5)):
        number(page, f"txt2img_{elem_id}", value)
    plain, _, count = generated(page, studio)
    page.click("#txt2img_controlnet > button")
    page.set_input_files(f"{UNIT}_input_image input[type=file]", drawing_file)
    enabled = f"{UNIT}_controlnet_enable_checkbox input"
    page.wait_for_function(f"document.querySelector('{enabled}').checked")
    page.locator(f"{UNIT}_controlnet_type_filter_radio label", has_text="Canny").click()
    model = f"{UNIT}_controlnet_model_dropdown select"
    assert "tiny_canny" in page.input_value(model)
    number(page, f"{UNIT[1:]}_controlnet_preprocessor_resolution_slider", 64)
    page.click(f"{UNIT}_controlnet_trigger_preprocessor")
    page.wait_for_function(f"document.querySelector('{UNIT}_generated_image').naturalWidth === 96")
    steered, text, more = generated(page, studio)
    assert more == count + 1
    assert (steered != plain).any()
    assert "Module: canny" in text
    assert "Processor Res: 64" in text

    # A reload keeps everything, before the panel is opened again.
    kept = "fetch('internal/gui/drafts').then((answer) => answer.text()).then((text) => text.includes('tiny_canny'))"
    page.wait_for_function(kept)
    page.reload()
    ready(page)
    again, _, _ = generated(page, studio)
    assert (again == steered).all()

    # Pasted text without units switches them off, the picture's own text on again.
    page.click("#txt2img_controlnet > button")
    page.wait_for_selector(enabled)
    for pasted, on in ((text.partition(", ControlNet 0")[0], False), (text, True)):
        page.fill("#txt2img_prompt textarea", pasted)
        page.click("#paste")
        page.wait_for_function(f"document.querySelector('{enabled}').checked === {json.dumps(on)}")
    once_more, _, _ = generated(page, studio)
    assert (once_more == steered).all()
