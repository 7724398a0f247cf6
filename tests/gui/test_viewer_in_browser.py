"""The full-page viewer in a browser: keys, wheel, swipe, compare, what is below it, and what it does to the gallery."""

from __future__ import annotations

import pytest

from tests.gui.stand_in import StandIn
from tests.gui.test_in_browser import generate, infotext, set_number, shows

VIEWER = "#lightboxModal"
LARGE = "#txt2img_gallery .media-button"


@pytest.fixture
def three(page):
    """A page with three pictures, the first one in the viewer."""
    set_number(page, "txt2img_batch_count", 3)
    generate(page, "three boats")
    shows(page, "three boats")
    page.wait_for_function("document.querySelectorAll('#txt2img_gallery .thumbnail-small').length === 3")
    page.click(LARGE)
    page.wait_for_selector(f"{VIEWER}:not([hidden])")
    return page


def count(page) -> str:
    return page.inner_text(f"{VIEWER} .viewer-count")


def source(page) -> str:
    return page.get_attribute("#modalImage", "src")


def test_keys_go_through_the_pictures_and_the_gallery_follows(three) -> None:
    first = source(three)
    assert count(three) == "1 / 3"
    three.keyboard.press("d")
    three.keyboard.press("ArrowRight")
    assert count(three) == "3 / 3"
    three.wait_for_function("document.querySelectorAll('#txt2img_gallery .thumbnail-small')[2].matches('.selected')")
    three.keyboard.press("i")
    said = three.inner_text("#modalInfo .viewer-text")
    assert said.startswith("three boats")
    three.keyboard.press("ArrowRight")
    assert source(three) == first
    three.keyboard.press("a")
    three.keyboard.press("Escape")
    assert three.locator(VIEWER).is_hidden()
    three.wait_for_function("said => document.querySelector('#html_info_txt2img').dataset.text === said", arg=said)
    assert "three boats" in infotext(three).inner_text()


def test_the_page_below_hears_no_keys_and_no_tab(three, studio: StandIn) -> None:
    drawn = len(studio.drawn)
    three.keyboard.press("Control+Enter")
    for _ in range(15):
        three.keyboard.press("Tab")
        assert three.evaluate("document.getElementById('lightboxModal').contains(document.activeElement)")
    three.keyboard.press("Escape")
    assert three.evaluate("document.querySelector('gradio-app').inert") is False
    assert len(studio.drawn) == drawn


def test_the_wheel_zooms_at_the_pointer_and_dragging_pans(three) -> None:
    three.mouse.move(700, 300)
    for _ in range(5):
        three.mouse.wheel(0, -100)
    matrix = "(() => { const m = new DOMMatrix(getComputedStyle(document.querySelector('.viewer-box')).transform);"
    three.wait_for_function(f"{matrix} return m.a > 2.4; }})()")
    at = three.evaluate(f"{matrix} return m.e; }})()")
    three.mouse.down()
    three.mouse.move(760, 300, steps=4)
    three.mouse.up()
    assert three.evaluate(f"{matrix} return m.e; }})()") == pytest.approx(at + 60, abs=1)
    # A drag is no swipe and no click: the same picture is still shown.
    assert count(three) == "1 / 3"
    three.keyboard.press("0")
    assert three.evaluate(f"{matrix} return m.a; }})()") == 1


def test_a_click_beside_the_picture_closes_and_one_on_it_does_not(three) -> None:
    three.mouse.click(700, 400)
    assert three.locator(VIEWER).is_visible()
    three.mouse.click(120, 600)
    assert three.locator(VIEWER).is_hidden()


def test_a_swipe_shows_the_next_picture(three) -> None:
    three.mouse.move(800, 400)
    three.mouse.down()
    three.mouse.move(500, 405, steps=5)
    three.mouse.up()
    assert count(three) == "2 / 3"
    assert three.locator(VIEWER).is_visible()


def test_two_pictures_are_compared(three) -> None:
    first = source(three)
    three.keyboard.press("d")
    three.click("#modal_compare")
    other = three.locator(".viewer-other")
    assert other.get_attribute("src") == first
    three.locator(".viewer-slider").fill("25")
    assert "75%" in other.evaluate("one => one.style.clipPath")
    three.locator(".viewer-strip button").nth(2).click()
    assert count(three) == "2 / 3"
    assert other.get_attribute("src") not in (first, source(three))
    three.locator(".viewer-slider").focus()
    three.keyboard.press("ArrowLeft")
    assert count(three) == "2 / 3"
    three.keyboard.press("c")
    assert other.is_hidden()
    three.keyboard.press("c")
    three.keyboard.press("Escape")
    assert three.locator(VIEWER).is_hidden()


def test_it_saves_and_sends_what_it_shows(three, studio: StandIn) -> None:
    three.keyboard.press("d")
    three.wait_for_function("document.querySelectorAll('#txt2img_gallery .thumbnail-small')[1].matches('.selected')")
    seed = three.evaluate("document.querySelector('.viewer-text').textContent.match(/Seed: (\\d+)/)[1]")
    three.keyboard.press("s")
    three.wait_for_selector("#download_files_txt2img a")
    assert seed in three.inner_text("#download_files_txt2img")
    three.get_by_role("button", name="Send to Extras").click()
    three.wait_for_selector("#extras_image canvas, #extras_image img")
    assert three.locator(VIEWER).is_hidden()


def test_without_it_gradio_keeps_the_click(page, studio: StandIn) -> None:
    studio.set_options({"js_modal_lightbox": False})
    page.wait_for_function("window.atelierBoot.options.js_modal_lightbox === false")
    generate(page, "plain")
    shows(page, "plain")
    page.click(LARGE)
    page.wait_for_timeout(300)
    assert page.locator(VIEWER).count() == 0 or page.locator(VIEWER).is_hidden()
    studio.set_options({"js_modal_lightbox": True})


def files(studio: StandIn) -> int:
    return sum(one.suffix == ".png" for one in studio.outputs.root.iterdir())


def small(page, count: int) -> None:
    page.wait_for_function(
        "count => document.querySelectorAll('#txt2img_gallery .thumbnail-small').length === count", arg=count
    )


def test_a_picture_is_deleted_from_the_viewer_and_taken_back(three, studio: StandIn) -> None:
    before = files(studio)
    three.keyboard.press("ArrowRight")
    second = source(three)
    three.keyboard.press("Delete")
    three.wait_for_function("document.querySelector('#lightboxModal .viewer-count').textContent === '2 / 2'")
    assert source(three) != second
    assert files(studio) == before - 1
    small(three, 2)
    three.wait_for_function("document.querySelectorAll('#txt2img_gallery .thumbnail-small')[1].matches('.selected')")
    three.keyboard.press("Escape")
    three.get_by_role("button", name="Take back").click()
    small(three, 3)
    assert files(studio) == before


def test_the_chosen_picture_is_deleted_and_the_rest_can_be_saved(three, studio: StandIn) -> None:
    three.keyboard.press("Escape")
    three.click("#txt2img_gallery .thumbnail-small >> nth=0")
    three.click("#txt2img_delete")
    small(three, 2)
    assert [row["path"] for row in studio.gallery.trash.listed()]
    seeds = sorted(int(one.stem.rpartition("-")[2]) for one in studio.outputs.root.glob("*.png"))[-2:]
    three.click("#txt2img_gallery .thumbnail-small >> nth=1")
    said = infotext(three)
    three.wait_for_function(
        "seed => document.querySelector('#html_info_txt2img').textContent.includes(seed)", arg=f"Seed: {seeds[1]}"
    )
    three.click("#save_txt2img")
    three.wait_for_selector("#download_files_txt2img a")
    saved = next((studio.outputs.root.parent / "log" / "images").glob(f"*{seeds[1]}*"))
    assert f"Seed: {seeds[1]}" in said.inner_text()
    assert saved.is_file()


def test_only_what_a_job_drew_is_deleted_over_its_route(address: str, studio: StandIn, three) -> None:
    job = studio.jobs.finished(0, 1)[1][0]
    answer = three.request.post(f"{address}/internal/queue/{job.id}/delete", data={"numbers": [99]})
    assert answer.status == 404
    assert three.request.post(f"{address}/internal/queue/nobody/delete", data={"numbers": [0]}).status == 404
