"""The Library tab in a browser: search, one picture large, marks, the trash, and the ways back into the forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gui.stand_in import StandIn
from tests.studio.test_gallery import save


@pytest.fixture
def library(page, studio: StandIn):
    """The opened tab over three pictures."""
    folder = studio.outputs.folders(studio.settings)[0]
    # Pictures of other tests stand in the same index.
    studio.gallery.index.forget([row.picture.path for row in studio.gallery.search("", limit=500).rows])
    paths = [
        save(folder / f"{name}.png", f"a {name} in the sun", seed) for seed, name in enumerate(("cat", "dog", "owl"))
    ]
    studio.gallery.added(paths)
    page.click("#tab_library-button")
    page.wait_for_selector(".library-tile >> nth=2")
    yield page
    studio.gallery.index.forget([path.resolve() for path in paths])
    for path in paths:
        path.unlink(missing_ok=True)


def found(page, count: int) -> None:
    page.wait_for_function("(count) => document.querySelectorAll('.library-tile').length === count", arg=count)


def test_search_look_and_send(library) -> None:
    page = library
    page.fill("#library_search", "owl sun")
    found(page, 1)
    page.click(".library-open")
    page.wait_for_selector("#library_detail[open] .library-text")
    assert "a owl in the sun" in page.inner_text(".library-text")
    assert "anything" in page.inner_text(".library-differs")
    page.click("#library_detail >> text=Send to txt2img")
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'a owl in the sun'")
    assert page.input_value("#txt2img_seed input") == "2"


def test_a_favourite_is_found_again(library, studio: StandIn) -> None:
    page = library
    page.fill("#library_search", "cat")
    found(page, 1)
    page.click(".library-open")
    page.click("#library_detail >> text=Favourite")
    page.wait_for_selector("#library_detail >> text=No longer a favourite")
    page.click("#library_detail .library-close")
    page.fill("#library_search", "")
    found(page, 3)
    page.click(".library-bar >> text=Favourites")
    found(page, 1)
    studio.gallery.index.favour(studio.gallery.search("cat").rows[0].picture.path, False)


def test_deleted_and_taken_back(library, studio: StandIn) -> None:
    page = library
    before = studio.gallery.trash.listed()
    page.check(".library-tile >> nth=0 >> input", force=True)
    page.check(".library-tile >> nth=1 >> input", force=True)
    page.click(".library-actions >> text=Delete")
    found(page, 1)
    assert len(studio.gallery.trash.listed()) == len(before) + 2
    page.click(".toast-action")
    found(page, 3)
    assert studio.gallery.trash.listed() == before


def test_two_are_compared_and_keys_move(library) -> None:
    page = library
    for place in (0, 2):
        page.check(f".library-tile >> nth={place} >> input", force=True)
    page.click(".library-actions >> text=Compare the two")
    assert page.locator("#library_compare img").count() == 2
    page.keyboard.press("Escape")
    page.focus(".library-open >> nth=0")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('.library-tile').dataset.place") == "1"


def test_a_wrong_question_is_answered(library) -> None:
    page = library
    page.fill("#library_search", "seed:many")
    page.wait_for_function("document.querySelector('.library-note').textContent.includes('many')")


def test_every_text_is_there_in_both_languages(locales: Path) -> None:
    import json
    import re

    used = set()
    for script in (locales.parent / "static").glob("library*.js"):
        used |= set(re.findall(r't\("(library_\w+)"', script.read_text(encoding="utf-8")))
    for language in ("en", "zh-CN"):
        texts = json.loads((locales / f"{language}.library.json").read_text(encoding="utf-8"))
        assert {f"script.{key}" for key in used} <= texts.keys()
