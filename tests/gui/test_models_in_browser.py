"""The Models tab as a person uses it: a file is dropped and put in its place, a link is pasted and followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gui.stand_in import StandIn
from tests.studio.downloads.bad_server import bad_server
from tests.studio.lora_files import model_bytes

pytestmark = pytest.mark.browser


@pytest.fixture
def models(page):
    page.click("#tab_models-button")
    page.wait_for_selector("#models_drop")
    return page


def test_a_dropped_file_says_what_it_is_and_goes_to_its_folder(models, studio: StandIn, tmp_path: Path) -> None:
    (tmp_path / "dropped.safetensors").write_bytes(model_bytes())
    models.set_input_files("#models_file", tmp_path / "dropped.safetensors")
    models.wait_for_selector("#models_answer dl")
    assert "SD 1.x" in models.inner_text("#models_answer")
    models.click("#models_answer button.primary")
    there = studio.flags.lora_dir / "dropped.safetensors"
    models.wait_for_function("path => document.querySelector('.models-said').innerText.includes(path)", arg=str(there))
    assert there.read_bytes() == model_bytes()


def test_a_file_that_is_none_is_told_as_text(models, tmp_path: Path) -> None:
    (tmp_path / "page.safetensors").write_text("<html><img src=x onerror=alert(1)>")
    models.set_input_files("#models_file", tmp_path / "page.safetensors")
    models.wait_for_function("document.querySelector('#models_answer').innerText.includes('web page')")


def test_a_pasted_link_is_followed_to_its_end(models, studio: StandIn) -> None:
    with bad_server() as server:
        models.fill("#download_link", server.serves("/linked.safetensors", model_bytes()))
        models.click("#download_start")
        models.wait_for_selector(".models-download.done")
    assert (studio.flags.lora_dir / "linked.safetensors").is_file()
    models.fill("#download_link", "cat")
    models.click("#download_start")
    models.wait_for_function("document.querySelector('#download_said').innerText.includes('no link')")
