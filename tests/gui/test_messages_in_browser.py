"""What the core says reaches the page in the reader's language, with the next step where something is missing."""

from __future__ import annotations

import re

import pytest

from tests.gui.stand_in import StandIn

pytestmark = pytest.mark.browser

PROMPT = "#txt2img_prompt textarea"
GENERATE = "#txt2img_generate"
NO_WEIGHTS = (
    "GFPGAN cannot repair faces yet: its weights are not here. Put GFPGANv1.4.pth from https://example.org into the "
    "folder models/GFPGAN, or choose another face restoration."
)


def asks(page) -> None:
    page.fill(PROMPT, "a mill")
    page.click(GENERATE)


def toast(page, kind: str):
    found = page.locator(f".toast.{kind}")
    found.first.wait_for()
    return found.first


def test_a_message_about_a_missing_file_begins_its_download(page, studio: StandIn) -> None:
    studio.refused = NO_WEIGHTS
    asks(page)
    toast(page, "error").get_by_role("button", name="Download GFPGANv1.4.pth").click()
    page.wait_for_selector("#download_list .models-download")
    assert "GFPGANv1.4.pth" in page.inner_text("#download_list")
    assert page.locator(".toast.error").count() == 0
    for one in studio.downloads.all:
        studio.downloads.cancel(one.id)


def test_a_message_about_a_missing_model_leads_to_the_models_tab(page, studio: StandIn) -> None:
    studio.note = "Lora not found: fog"
    asks(page)
    toast(page, "warning").get_by_role("button", name="Get models").click()
    page.wait_for_function("document.activeElement.id === 'download_link'")


def test_other_errors_offer_nothing(page, studio: StandIn) -> None:
    studio.fault = "The two models have the same weights: there is nothing to extract. Choose another model."
    asks(page)
    assert toast(page, "error").get_by_role("button").count() == 1  # to close it


def test_a_job_that_fails_and_what_it_says_are_told_in_chinese(visit, studio: StandIn) -> None:
    studio.fault = "There is no sampler called 'Eular'. Did you mean 'Euler'?"
    page = visit(locale="zh-CN").open()
    asks(page)
    said = toast(page, "error")
    assert said.inner_text().startswith("没有名为 'Eular' 的采样方法。是否是 'Euler'？")
    page.click("#tab_queue-button")
    page.wait_for_function("document.querySelector('.queue-error')?.textContent.startsWith('没有名为')")
    said.locator(".toast-close").click()

    studio.fault, studio.note = "", "The checkpoint 'fog' is not here."
    page.click("#tab_txt2img-button")
    studio.gate.clear()
    asks(page)
    page.wait_for_selector("#txt2img_live .live-note:not([hidden])")
    assert page.inner_text("#txt2img_live .live-note") == "模型 'fog' 不在本机。"
    studio.gate.set()
    assert toast(page, "warning").get_by_role("button", name="获取模型").is_visible()


def test_what_is_wrong_with_the_engine_is_told_in_chinese(visit, studio: StandIn) -> None:
    studio.engine_state = "fog.safetensors is damaged: its header cannot be read. Download it again."
    page = visit(locale="zh-CN").open()
    page.wait_for_selector("#notices .trouble")
    assert page.inner_text("#notices .trouble") == "fog.safetensors 已损坏：无法读取文件头。请重新下载。"


def test_a_sentence_cannot_be_of_any_length(page, address: str) -> None:
    assert page.request.get(f"{address}/internal/gui/told?sentence={'x' * 5000}").status in {400, 422}
    answer = page.request.get(f"{address}/internal/gui/told?sentence=taesd_decoder.safetensors%20is%20missing").json()
    assert [one["name"] for one in answer["files"]] == ["taesd_decoder.safetensors"]
    assert re.match("https://", answer["files"][0]["link"])
