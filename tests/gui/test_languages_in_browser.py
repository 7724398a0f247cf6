"""The page in Chinese says nothing in English, and a translation made for A1111 changes what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.gui.conftest import Visitor
from tests.gui.stand_in import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TABS = (
    "txt2img",
    "img2img",
    "extras",
    "pnginfo",
    "modelmerger",
    "train",
    "library",
    "models",
    "queue",
    "extensions",
    "settings",
)

# What is visible and has Latin words but nothing Chinese: texts, and the names that screen readers say.
ENGLISH = r"""() => {
    const found = new Set();
    const note = (text) => /[A-Za-z]{3,}/.test(text) && !/[\u4e00-\u9fff]/.test(text) && found.add(text.trim());
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        if (parentElement.checkVisibility() && !parentElement.closest("script, style, textarea, code, pre")) note(data);
    }
    for (const element of document.querySelectorAll("[title], [placeholder], [aria-label]")) {
        if (!element.checkVisibility()) continue;
        for (const name of ["title", "placeholder", "aria-label"]) note(element.getAttribute(name) ?? "");
    }
    return [...found];
}"""
# Names of models, methods, programs, formats and files are the same in every language; so are the titles that say what
# a setting is called in A1111.
NAMES = re.compile(
    r"""^(
        Lora | LoRA | ControlNet | VAE | API | Atelier | Hypertile | Stable\ Diffusion(\ 3|\ XL)? | ADetailer |
        GFPGAN | CodeFormer | RestoreFormer | BLIP | DeepBooru | CLIP | Deepbooru |
        IP-Adapter | Instant-ID | InstructP2P | Revision | T2I-Adapter | Civitai | Hugging\ Face |
        \S+\.(safetensors|pth) | ckpt | safetensors | float16 | bfloat16 | float32 | jpeg | png | webp | \^model_ema |
        (Atelier|python|torch|gradio|xformers):.* | Linux.* | Python | torch | TAESD | .*\([a-z0-9_]+\)
    )$""",
    re.VERBOSE,
)


def opened(page: Page, tab: str) -> None:
    page.click(f"#tab_{tab}-button")
    page.wait_for_function("tab => document.querySelector(`#tab_${tab}`)?.checkVisibility()", arg=tab)
    page.wait_for_function(
        "tab => { const own = document.querySelector(`#tab_${tab} [id=${tab}]`); return !own || own.children.length }",
        arg=tab,
    )


def test_nothing_is_said_in_english_to_a_chinese_reader(browser, address: str, studio: StandIn) -> None:
    # Prompts of other tests are no words of ours.
    studio.jobs.forget()
    visitor = Visitor(browser, address, locale="zh-CN")
    page = visitor.open()
    said: dict[str, str] = {}
    # What the stand-in has, whatever it is called.
    given = {name for names in studio.lists.values() for name in names}
    for tab in TABS:
        opened(page, tab)
        page.evaluate("document.querySelectorAll('.label-wrap:not(.open)').forEach((one) => one.click())")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        page.wait_for_timeout(400)
        for text in page.evaluate(ENGLISH):
            if not NAMES.match(text) and text not in given:
                said.setdefault(text, tab)
    visitor.context.close()
    assert not said, "\n".join(f"{tab}: {text}" for text, tab in said.items())


@pytest.fixture
def translated(studio: StandIn) -> Iterator[None]:
    """A translation as people have them for A1111, chosen in the settings."""
    folder = studio.flags.data_dir / "localizations"
    folder.mkdir(exist_ok=True)
    path = folder / "de_DE.json"
    words = {
        "Generate": "Erzeugen",
        "Width": "Breite",
        "Styles": "Stile",
        "Library": "Bilder",
        "PNG Info": "",
        "rtl": False,
    }
    path.write_text("\ufeff" + json.dumps(words), encoding="utf-8")
    studio.set_options({"localization": "de_DE"})
    yield
    studio.set_options({"localization": "None"})
    path.unlink()


def test_a_translation_for_a1111_changes_the_labels(browser, address: str, studio: StandIn, translated: None) -> None:
    # It goes by the English words, so the page speaks English below it, whatever the browser asks for.
    visitor = Visitor(browser, address, locale="zh-CN")
    page = visitor.open()
    page.wait_for_function("document.querySelector('#txt2img_generate').textContent.trim() === 'Erzeugen'")
    assert page.inner_text("#txt2img_width [data-testid=block-info]").strip() == "Breite"
    assert page.inner_text("#tab_library-button").strip() == "Bilder"
    # A word without a translation stays.
    assert page.inner_text("#tab_pnginfo-button").strip() == "PNG Info"
    # What comes later is translated, too; what people write is not.
    page.fill("#txt2img_prompt textarea", "Width")
    opened(page, "img2img")
    page.wait_for_function("document.querySelector('#img2img_generate').textContent.trim() === 'Erzeugen'")
    assert page.input_value("#txt2img_prompt textarea") == "Width"
    visitor.context.close()
