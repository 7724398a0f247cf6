"""The path of a beginner's tutorial, in the browser over the whole program: from a downloaded model to a large picture.

Set ATELIER_SHOTS to a folder to keep a picture of every screen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.gui.conftest import Visitor
from tests.gui.real_server import Server, studio_at
from tests.gui.test_accessibility import becomes

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MODEL = "orangechillmix_v70.safetensors"
LORA = "koreanDollLikeness"
# As the button "copy generation data" of Civitai gives it.
CIVITAI = f"""a red circle on a blue ground, <lora:{LORA}:0.6>, (best quality:1.2)
Negative prompt: a green square, (worst quality:2)
Steps: 6, Size: 128x128, Seed: 2217003815, Model: {Path(MODEL).stem}, Sampler: Euler a, CFG scale: 7, \
Clip skip: 1, Denoising strength: 0.5"""
PROMPT = CIVITAI.split("\n", 1)[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with studio_at(tmp_path_factory.mktemp("tutorial")) as server:
        yield server


def shots(language: str) -> Callable[[object, str], None]:
    """Keeps a screen under a name, where somebody wants to look at them."""
    folder = os.environ.get("ATELIER_SHOTS")

    def keep(page, name: str) -> None:
        if folder:
            page.wait_for_timeout(300)
            page.screenshot(path=Path(folder) / f"tutorial-{language}-{name}.png")

    return keep


def number(page, elem_id: str) -> float:
    return float(page.input_value(f"#{elem_id} input[type=number]"))


def chosen(server: Server) -> str:
    """The checkpoint that the server uses."""
    return httpx.get(f"{server.address}/sdapi/v1/options").json()["sd_model_checkpoint"] or ""


def drawn(page, tab: str, text: str) -> None:
    """Waits until the gallery of `tab` has a picture whose text begins with `text`."""
    page.wait_for_function(
        "([tab, text]) => document.querySelector(`#html_info_${tab}`)?.innerText.includes(text)",
        arg=[tab, text],
        timeout=120_000,
    )


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_from_a_download_to_a_large_picture(browser, server: Server, language: str) -> None:
    visitor = Visitor(browser, server.address, locale=language)
    keep = shots(language)
    page = visitor.open()
    keep(page, "1-first")

    model, lora = f"{language}-{MODEL}", f"{language}-{LORA}"
    server.put_checkpoint(model)
    server.put_lora(f"{lora}.safetensors")
    page.click("#refresh_sd_model_checkpoint")
    page.click("#setting_sd_model_checkpoint input")
    page.get_by_role("option", name=re.compile(re.escape(model))).click()
    # The choice goes to the server in an event of its own; only what it has heard is there after a reload.
    becomes(lambda: chosen(server).partition(" ")[0], model)
    page.reload()
    page.wait_for_function("document.body.dataset.ready && document.body.dataset.draft")
    page.wait_for_function(
        "name => document.querySelector('#setting_sd_model_checkpoint input')?.value.startsWith(name)", arg=model
    )

    page.click("#txt2img_prompt textarea")
    page.keyboard.insert_text(CIVITAI.replace(LORA, lora))
    keep(page, "2-pasted")
    page.click("#paste")
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value.startsWith('a red circle')")
    page.wait_for_function("document.querySelector('#txt2img_neg_prompt textarea').value.includes('green square')")
    assert page.input_value("#txt2img_prompt textarea") == PROMPT.replace(LORA, lora)
    assert [number(page, f"txt2img_{one}") for one in ("steps", "width", "cfg_scale", "seed")] == [
        6,
        128,
        7,
        2217003815,
    ]
    assert page.input_value("#txt2img_sampling input") == "Euler a"
    keep(page, "3-filled")

    page.click("#txt2img_generate")
    drawn(page, "txt2img", "Seed: 2217003815")
    said = page.inner_text("#html_info_txt2img")
    assert f'Lora hashes: "{lora}: ' in said
    assert f"Model: {model.removesuffix('.safetensors')}" in said
    keep(page, "4-drawn")

    page.click("#save_txt2img")
    page.locator(".toast", has_text=re.compile("log")).first.wait_for()
    assert len(list((server.folder / "log" / "images").rglob("*.png"))) >= 1

    page.click("#txt2img_send_to_inpaint")
    page.wait_for_selector("#img2maskimg .canvas.filled")
    page.wait_for_function("document.querySelector('#img2img_prompt textarea')?.value.startsWith('a red circle')")
    box = page.locator("#img2maskimg .canvas-screen").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=8)
    page.mouse.up()
    keep(page, "5-painted")
    page.click("#img2img_generate")
    drawn(page, "img2img", "Denoising strength: 0.75")
    keep(page, "6-inpainted")

    page.click("#img2img_send_to_extras")
    page.wait_for_selector("#extras_image .canvas.filled")
    page.click("#extras_upscaler_1 input")
    page.get_by_role("option", name="Lanczos", exact=True).click()
    page.locator("#extras_upscaling_resize input[type=number]").fill("2")
    page.locator("#extras_upscaling_resize input[type=number]").blur()
    keep(page, "7-extras")
    page.click("#extras_generate")
    drawn(page, "extras", "Postprocess upscale by: 2")
    keep(page, "8-large")
    newest = max((server.folder / "outputs" / "extras-images").rglob("*.png"), key=lambda one: one.stat().st_mtime)
    with Image.open(newest) as large:
        assert large.size == (256, 256)
        assert large.info["parameters"].startswith("a red circle")
    visitor.context.close()
    assert visitor.faults == []
