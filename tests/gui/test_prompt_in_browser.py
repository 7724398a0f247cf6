"""The prompt box as it is typed in: weights, order, suggestions, what is dropped on it, and the way back by Ctrl+Z."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.gui.stand_in import StandIn, png
from tests.studio.lora_files import model_bytes

pytestmark = pytest.mark.browser

PROMPT = "#txt2img_prompt textarea"
LIST = "#prompt_suggestions"
# What a drop of a file is to the page.
DROP = """async ([selector, data, name, type]) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const carried = new DataTransfer();
    carried.items.add(new File([bytes], name, { type }));
    const target = document.querySelector(selector);
    for (const kind of ["dragenter", "dragover", "drop"]) {
        target.dispatchEvent(new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
        await new Promise((done) => setTimeout(done, 300));
    }
}"""


@pytest.fixture(scope="module", autouse=True)
def files(shared_studio: StandIn) -> Iterator[None]:
    """A list of tags and a LoRA where the user would put them."""
    tags = shared_studio.flags.data_dir / "tags"
    tags.mkdir()
    (tags / "few.csv").write_text("long_hair,0,5000,longhair\nlong_coat_(red),4,40\n", encoding="utf-8")
    lora = shared_studio.flags.lora_dir / "woodcut-v2.safetensors"
    lora.parent.mkdir(parents=True, exist_ok=True)
    lora.write_bytes(model_bytes())
    yield
    (tags / "few.csv").unlink()
    lora.unlink()


@pytest.fixture
def prompt(page):
    page.click(PROMPT)
    page.wait_for_selector(LIST, state="attached")
    return page


def write(page, text: str, start: int, end: int | None = None) -> None:
    page.fill(PROMPT, text)
    page.evaluate(f"document.querySelector('{PROMPT}').setSelectionRange({start}, {start if end is None else end})")


def chosen(page) -> tuple[str, str]:
    """The text, and what of it is selected."""
    text, start, end = page.evaluate(
        f"(box => [box.value, box.selectionStart, box.selectionEnd])(document.querySelector('{PROMPT}'))"
    )
    return text, text[start:end]


@pytest.mark.parametrize(
    ("text", "at", "keys", "expected", "selected"),
    [
        ("a red house", 3, ["Control+ArrowUp"], "a (red:1.1) house", "red"),
        ("a red house", 3, ["Control+ArrowUp"] * 3, "a (red:1.3) house", "red"),
        ("a red house", 3, ["Control+ArrowDown"], "a (red:0.9) house", "red"),
        ("a (red:1.1) house", 4, ["Control+ArrowDown"], "a red house", "red"),
        ("a ((red)) house", 5, ["Control+ArrowUp"], "a (red:1.3) house", "red"),
        ("a [red] house", 4, ["Control+ArrowDown"], "a (red:0.8) house", "red"),
        ("fog <lora:x:0.8>", 8, ["Control+ArrowUp"], "fog <lora:x:0.85>", "lora:x"),
        ("one, two, three", 6, ["Alt+ArrowLeft"], " two,one, three", " two"),
        ("one, two, three", 6, ["Alt+ArrowRight"], "one, three, two", " two"),
        ("one, two", 1, ["Alt+ArrowLeft"], "one, two", ""),
    ],
)
def test_keys_change_weights_and_order(prompt, text, at, keys, expected, selected) -> None:
    write(prompt, text, at)
    for key in keys:
        prompt.keyboard.press(key)
    assert chosen(prompt) == (expected, selected)


def test_the_browser_takes_back_what_keys_did(prompt) -> None:
    prompt.keyboard.type("a red house, ")
    prompt.keyboard.press("ArrowLeft")
    for _ in range(4):
        prompt.keyboard.press("ArrowLeft")
    prompt.keyboard.press("Control+ArrowUp")
    assert chosen(prompt)[0] == "a red (house:1.1), "
    prompt.keyboard.press("Control+z")
    assert chosen(prompt)[0] == "a red house, "


def test_a_cleared_prompt_comes_back(prompt) -> None:
    prompt.keyboard.type("a red house")
    prompt.click("#txt2img_clear_prompt")
    prompt.wait_for_function(f"document.querySelector('{PROMPT}').value === ''")
    prompt.focus(PROMPT)
    prompt.keyboard.press("Control+z")
    assert chosen(prompt)[0] == "a red house"


def test_no_key_is_taken_from_an_input_method(prompt) -> None:
    write(prompt, "a red house", 3)
    prompt.evaluate(
        f"""document.querySelector('{PROMPT}').dispatchEvent(new KeyboardEvent("keydown",
        {{ key: "ArrowUp", ctrlKey: true, isComposing: true, bubbles: true }}))"""
    )
    assert chosen(prompt)[0] == "a red house"


def test_tags_are_suggested_and_taken_by_tab(prompt) -> None:
    prompt.keyboard.type("a girl with lon")
    prompt.wait_for_selector(f"{LIST} li")
    assert prompt.locator(f"{LIST} .suggestion-label").all_inner_texts() == ["long_hair", "long_coat_(red)"]
    prompt.keyboard.press("Tab")
    assert chosen(prompt)[0] == "a girl with long hair, "
    assert prompt.is_hidden(LIST)


def test_arrows_choose_and_enter_takes_but_alone_breaks_the_line(prompt) -> None:
    prompt.keyboard.type("lon")
    prompt.wait_for_selector(f"{LIST} li")
    prompt.keyboard.press("ArrowDown")
    prompt.keyboard.press("ArrowDown")
    prompt.keyboard.press("Enter")
    assert chosen(prompt)[0] == r"long coat \(red\), "
    prompt.keyboard.type("lon")
    prompt.wait_for_selector(f"{LIST} li")
    prompt.keyboard.press("Enter")
    assert chosen(prompt)[0].endswith("lon\n")


def test_esc_closes_only_the_list(prompt, studio: StandIn) -> None:
    prompt.keyboard.type("lon")
    prompt.wait_for_selector(f"{LIST} li")
    prompt.keyboard.press("Escape")
    assert prompt.is_hidden(LIST)
    assert chosen(prompt)[0] == "lon"


def test_a_lora_is_suggested_after_its_bracket_and_taken_by_a_click(prompt) -> None:
    prompt.keyboard.type("fog <lora:wood")
    prompt.click(f"{LIST} li")
    assert chosen(prompt)[0] == "fog <lora:woodcut-v2:1>, "


def test_the_extension_that_completes_tags_is_left_alone(prompt) -> None:
    prompt.evaluate("document.body.insertAdjacentHTML('beforeend', '<div class=autocompleteParent></div>')")
    prompt.keyboard.type("lon")
    prompt.wait_for_timeout(400)
    assert prompt.is_hidden(LIST)


def test_prompts_of_other_parts_are_helped_as_well(prompt) -> None:
    prompt.click("#txt2img_hr button")
    prompt.click("#txt2img_hires_more button")
    prompt.click("#hires_prompt textarea")
    prompt.keyboard.type("lon")
    prompt.wait_for_selector(f"{LIST} li")
    prompt.keyboard.press("Tab")
    assert prompt.input_value("#hires_prompt textarea") == "long hair, "


def test_a_dropped_picture_says_how_it_was_made(prompt) -> None:
    text = "a house\nSteps: 7, Sampler: Euler, CFG scale: 3, Seed: 5, Size: 256x128"
    data = base64.b64encode(png(Image.new("RGB", (8, 8)), text)).decode()
    prompt.evaluate(DROP, [PROMPT, data, "a.png", "image/png"])
    prompt.wait_for_function(f"document.querySelector('{PROMPT}').value.startsWith('a house')")
    prompt.click("#paste")
    prompt.wait_for_function("document.querySelector('#txt2img_steps input[type=number]').value === '7'")
    assert prompt.input_value(PROMPT) == "a house"


def test_a_dropped_text_file_is_the_prompt(prompt) -> None:
    prompt.evaluate(DROP, [PROMPT, base64.b64encode(b"a mill\nat night").decode(), "a.txt", "text/plain"])
    prompt.wait_for_function(f"document.querySelector('{PROMPT}').value === 'a mill\\nat night'")


def test_a_suggestion_is_taken_by_a_finger(visit, studio: StandIn) -> None:
    page = visit(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}).open()
    page.tap(PROMPT)
    page.wait_for_selector(LIST, state="attached")
    page.keyboard.type("lon")
    page.wait_for_selector(f"{LIST} li")
    page.tap(f"{LIST} li")
    page.wait_for_function(f"document.querySelector('{PROMPT}').value === 'long hair, '")


def test_the_counter_shows_which_bracket_has_no_partner(prompt) -> None:
    prompt.keyboard.type("a (red house, (door) ")
    counter = prompt.locator("#txt2img_token_counter .token-counter.unbalanced")
    counter.wait_for()
    assert counter.get_attribute("title").startswith("The bracket ( at character 3 is never closed")
    counter.click()
    assert chosen(prompt)[1] == "("
    prompt.keyboard.press("Delete")
    prompt.wait_for_function("!document.querySelector('#txt2img_token_counter .unbalanced')")


def test_a_picture_without_a_word_changes_nothing(prompt) -> None:
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    prompt.keyboard.type("kept")
    prompt.evaluate(DROP, [PROMPT, base64.b64encode(plain.getvalue()).decode(), "a.png", "image/png"])
    prompt.wait_for_selector("text=does not say how it was made")
    assert chosen(prompt)[0] == "kept"


def test_a_style_is_made_from_the_form_applied_and_deleted(prompt, studio: StandIn) -> None:
    dialog = "#txt2img_styles_dialog"
    prompt.keyboard.type("in fog")
    prompt.click("#txt2img_styles_edit_button")
    prompt.fill(f"{dialog} #txt2img_styles_edit_select input", "Foggy")
    prompt.click("#txt2img_style_copy")
    prompt.fill("#txt2img_edit_style_prompt textarea", "{prompt}, at dawn")
    prompt.click("#txt2img_edit_style_save")
    prompt.wait_for_function(f"document.querySelector('{dialog} .dialog-said').innerText.includes('Foggy')")
    assert studio.styles.find("Foggy").prompt == "{prompt}, at dawn"
    prompt.click("#txt2img_style_apply_dialog")
    prompt.wait_for_function(f"document.querySelector('{PROMPT}').value === 'in fog, at dawn'")
    prompt.click("#txt2img_styles_edit_button")
    prompt.on("dialog", lambda asked: asked.accept())
    prompt.click("#txt2img_edit_style_delete")
    prompt.wait_for_function("document.querySelector('#txt2img_styles_edit_select input').value === ''")
    assert studio.styles.find("Foggy") is None


def test_nothing_of_it_is_loaded_before_a_prompt_is_used(visit) -> None:
    visitor = visit()
    page = visitor.open()
    assert not [url for url in visitor.requests if "completion" in url or "prompt_box" in url]
    page.click(PROMPT)
    page.wait_for_selector(LIST, state="attached")
    assert [Path(url).name for url in visitor.requests if "prompt_box" in url] == ["prompt_box.js"]
