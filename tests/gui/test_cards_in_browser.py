"""Cards below the prompt, with ten thousand LoRAs there: what is in the page, what a click does, what is kept."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from modules.gui.cards_part import PAGES, ordered
from tests.gui.conftest import Visitor
from tests.gui.stand_in import StandIn
from tests.gui.test_prompt_in_browser import DROP
from tests.studio.lora_files import model_bytes

MANY = 10_000
CARDS = "#txt2img_lora_cards"
PROMPT, NEGATIVE = "#txt2img_prompt textarea", "#txt2img_neg_prompt textarea"

browser_test = pytest.mark.browser


@pytest.mark.parametrize(
    ("wanted", "first"), [("", "textual_inversion"), ("Lora, Checkpoints", "lora"), ("nothing", "textual_inversion")]
)
def test_the_order_of_the_pages_is_the_users(wanted: str, first: str) -> None:
    assert ordered(wanted)[0] == first
    assert sorted(ordered(wanted)) == sorted(PAGES)


@pytest.fixture(scope="module")
def folder(shared_studio: StandIn) -> Iterator[Path]:
    """The folder of LoRAs with MANY of them; the first has a picture, notes and training data."""
    lora = shared_studio.flags.lora_dir
    (lora / "zdeep").mkdir(parents=True, exist_ok=True)
    for number in range(MANY):
        (lora / ("zdeep" if number % 4 == 3 else "") / f"net {number:05d}.safetensors").write_bytes(b"")
    first = lora / "net 00000.safetensors"
    body = model_bytes()
    length = int.from_bytes(body[:8], "little")
    tags = json.dumps({"10_x": {"ink": 40, "thin lines": 22}})
    header = {"__metadata__": {"ss_network_dim": "16", "ss_tag_frequency": tags}, **json.loads(body[8 : 8 + length])}
    written = json.dumps(header).encode()
    first.write_bytes(len(written).to_bytes(8, "little") + written + body[8 + length :])
    Image.linear_gradient("L").resize((1500, 2000)).save(first.with_suffix(".png"))
    notes = {"activation text": "inkstyle", "preferred weight": 0.7, "negative text": "photo", "other program": 1}
    first.with_suffix(".json").write_text(json.dumps(notes), encoding="utf-8")
    yield lora
    for path in [*lora.glob("net *"), *(lora / "zdeep").glob("net *")]:
        path.unlink()


@pytest.fixture
def cards(folder: Path, page):
    page.click("#txt2img_lora-button")
    page.wait_for_selector(f"{CARDS} .card")
    return page


@browser_test
def test_ten_thousand_cards_are_few_in_the_page(folder: Path, regular: Visitor, studio: StandIn) -> None:
    sizes: dict[str, int] = {}
    page = regular.open()
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}) if answer.ok else None)
    before = page.evaluate("document.querySelectorAll('*').length")
    assert not [url for url in regular.requests if "/models/cards/" in url or "cards.js" in url]
    page.click("#txt2img_lora-button")
    page.wait_for_selector(f"{CARDS} .card")
    page.wait_for_function(f"document.querySelector('{CARDS} img')?.complete")
    assert page.inner_text("#txt2img_lora_controls .cards-count") == f"{MANY} files"
    assert page.evaluate("document.querySelectorAll('*').length") - before < 1500
    assert sum(sizes.values()) < 1_000_000
    [picture] = [size for url, size in sizes.items() if "/models/thumbnail/" in url]
    assert picture < 30_000
    assert not [url for url in sizes if "/models/preview/" in url]
    page.close()


@browser_test
def test_any_place_of_the_list_is_reached_by_scrolling(cards) -> None:
    cards.evaluate(f"document.querySelector('{CARDS}').scrollTop = 1e9")
    # Those in folders come last by path.
    cards.wait_for_selector(f"{CARDS} .card[data-name='net {MANY - 1:05d}']")
    assert cards.locator(f"{CARDS} .card").count() < 100
    cards.evaluate(f"document.querySelector('{CARDS}').scrollTop = 0")
    cards.wait_for_selector(f"{CARDS} .card[data-name='net 00000']")


@browser_test
def test_a_click_toggles_the_tag_with_its_words(cards) -> None:
    first = cards.locator(f"{CARDS} .card[data-name='net 00000']")
    cards.fill(PROMPT, "a house")
    first.click()
    assert cards.input_value(PROMPT) == "a house <lora:net 00000:0.7> inkstyle"
    assert cards.input_value(NEGATIVE) == "photo"
    assert "chosen" in first.get_attribute("class")
    cards.fill(PROMPT, "a house <lora:net 00000:0.25> inkstyle, fog")
    first.click()
    assert cards.input_value(PROMPT) == "a house, fog"
    assert cards.input_value(NEGATIVE) == ""
    cards.focus(PROMPT)
    cards.keyboard.press("Control+z")
    assert "<lora:net 00000:0.25>" in cards.input_value(PROMPT)


@browser_test
def test_cards_are_searched_sorted_and_kept_to_a_folder(cards) -> None:
    cards.fill("#txt2img_lora_extra_search", "net 0012")
    cards.wait_for_function("document.querySelector('.cards-count').innerText === '11 files'")
    cards.fill("#txt2img_lora_extra_search", "")
    cards.click("#txt2img_lora_dirs .folder-button >> text=zdeep")
    cards.wait_for_selector(f"{CARDS} .card[data-name='net 00003']")
    assert cards.inner_text(".cards-count") == f"{MANY // 4} files"
    cards.click("#txt2img_lora_extra_sort_dir")
    cards.wait_for_selector(f"{CARDS} .card[data-name='net {MANY - 1:05d}']")


@browser_test
def test_notes_and_a_preview_are_kept_beside_the_file(cards, folder: Path) -> None:
    cards.locator(f"{CARDS} .card[data-name='net 00000']").hover()
    cards.click(f"{CARDS} .card[data-name='net 00000'] .edit-button")
    dialog = cards.locator("dialog.card-editor")
    dialog.get_by_label("Notes").fill("mine")
    dialog.locator("button.tag-chip", has_text="thin lines").click()
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(picture, "JPEG")
    dialog.locator("input[type=file]").set_input_files(
        {"name": "new.jpg", "mimeType": "image/jpeg", "buffer": picture.getvalue()}
    )
    cards.wait_for_function("document.querySelector('.card-picture img').naturalWidth === 64")
    dialog.locator(".card-save").click()
    dialog.wait_for(state="detached")
    notes = json.loads((folder / "net 00000.json").read_text(encoding="utf-8"))
    assert notes["notes"] == "mine"
    assert notes["activation text"] == "inkstyle, thin lines"
    assert (notes["other program"], notes["preferred weight"]) == (1, 0.7)
    with Image.open(folder / "net 00000.png") as kept:
        assert kept.size == (64, 64)


@browser_test
def test_what_training_left_is_shown(cards) -> None:
    cards.locator(f"{CARDS} .card[data-name='net 00000']").hover()
    cards.click(f"{CARDS} .card[data-name='net 00000'] .metadata-button")
    said = cards.inner_text("dialog.card-editor")
    assert "Rank" in said
    assert "thin lines" in said


@browser_test
def test_a_file_dropped_on_the_pane_is_installed_and_shown(cards, folder: Path) -> None:
    cards.evaluate(DROP, ["#txt2img_lora_pane", base64.b64encode(model_bytes()).decode(), "dropped.safetensors", ""])
    cards.fill("#txt2img_lora_extra_search", "dropped")
    cards.wait_for_selector(f"{CARDS} .card[data-name='dropped']")
    (folder / "dropped.safetensors").unlink()


@browser_test
def test_a_checkpoint_is_chosen_by_its_card(page, studio: StandIn) -> None:
    (studio.models / "another.safetensors").write_bytes(model_bytes())
    studio.library.refresh()
    page.click("#txt2img_checkpoints-button")
    page.click("#txt2img_checkpoints_cards .card[data-name='another.safetensors']")
    page.wait_for_function(
        "document.querySelector('#setting_sd_model_checkpoint input').value.startsWith('another.safetensors')"
    )
    assert str(studio.settings["sd_model_checkpoint"]).startswith("another.safetensors")
    (studio.models / "another.safetensors").unlink()
    studio.library.refresh()
