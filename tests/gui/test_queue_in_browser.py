"""The Queue tab in a browser: order, pause, what its buttons do, and lists of any length."""

from __future__ import annotations

import pytest
from PIL import Image

from modules.terms.control import ControlUnit
from modules.terms.request import GenerationRequest, Mask, Source
from tests.gui.stand_in import StandIn, gradient

QUEUE = "#tab_queue-button"
ACTIVE = "#queue_active .queue-row"
FINISHED = "#queue_finished .queue-row"


@pytest.fixture
def ask(studio: StandIn):
    """`ask(prompt)` -> the id of a job that waits until the gate opens."""
    studio.jobs.forget()
    return lambda prompt, **fields: studio.submit(GenerationRequest(prompt=prompt, steps=2, **fields)).id


def prompts(page, rows: str = ACTIVE) -> list[str]:
    return page.locator(f"{rows} .queue-prompt").all_inner_texts()


def opens(page, rows: int, where: str = ACTIVE) -> None:
    page.click(QUEUE)
    page.wait_for_function("([where, count]) => document.querySelectorAll(where).length === count", arg=[where, rows])


def becomes(page, wanted: list[str], rows: str = ACTIVE) -> None:
    page.wait_for_function(
        """([rows, wanted]) => JSON.stringify(wanted) ===
        JSON.stringify([...document.querySelectorAll(`${rows} .queue-prompt`)].map((one) => one.textContent))""",
        arg=[rows, wanted],
    )


def test_the_order_is_changed_by_buttons_and_by_dragging(page, studio: StandIn, ask) -> None:
    studio.gate.clear()
    for prompt in ("runs", "one", "two", "three"):
        ask(prompt)
    opens(page, 4)
    assert prompts(page) == ["runs", "one", "two", "three"]
    page.locator(ACTIVE).nth(3).get_by_role("button", name="Earlier").click()
    becomes(page, ["runs", "one", "three", "two"])
    page.locator(ACTIVE).nth(3).drag_to(page.locator(ACTIVE).nth(1), target_position={"x": 200, "y": 5})
    becomes(page, ["runs", "two", "one", "three"])
    waiting = [job.request.prompt for job in studio.jobs.active() if job.state == "queued"]
    assert waiting == ["two", "one", "three"]


def test_pause_cancel_and_what_is_left(page, studio: StandIn, ask) -> None:
    studio.jobs.pause()
    try:
        ask("first")
        ask("second")
        opens(page, 2)
        assert page.locator("#queue .queue-summary").inner_text() == "0 running · 2 waiting · paused"
        page.locator(ACTIVE).nth(0).get_by_role("button", name="Cancel").click()
        becomes(page, ["second"])
        page.get_by_role("button", name="Resume").click()
        becomes(page, [])
        becomes(page, ["second", "first"], FINISHED)
        cancelled = page.locator(FINISHED).nth(1).locator(".queue-state")
        cancelled.wait_for()
        assert cancelled.inner_text().startswith("Cancelled")
        assert not studio.jobs.paused
    finally:
        studio.jobs.resume()


def test_a_finished_job_runs_again_or_fills_the_form(page, studio: StandIn, ask) -> None:
    studio.jobs.wait(ask("a blue door", width=640, cfg_scale=3.5, styles=("Woodcut",)), 10)
    opens(page, 1, FINISHED)
    row = page.locator(FINISHED).first
    assert "640 × 512 · 2 steps" in row.locator(".queue-facts").inner_text()
    page.wait_for_function("document.querySelector('#queue_finished img')?.naturalWidth > 100")
    row.get_by_role("button", name="Run it again").click()
    becomes(page, ["a blue door", "a blue door"], FINISHED)
    page.locator(FINISHED).first.get_by_role("button", name="Put its settings into the form").click()
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'a blue door'")
    assert page.input_value("#txt2img_width input[type=number]") == "640"
    assert page.input_value("#txt2img_cfg_scale input[type=number]") == "3.5"
    assert "Woodcut" in page.inner_text("#txt2img_styles")


def test_a_long_list_keeps_few_rows(page, studio: StandIn, ask) -> None:
    for number in range(120):
        last = ask(f"picture {number}", width=64, height=64)
    studio.jobs.wait(last, 60)
    page.click(QUEUE)
    page.wait_for_function("document.querySelector('#queue_finished')?.dataset.count === '120'")
    page.wait_for_function("document.querySelector('#queue_finished .queue-prompt')?.textContent === 'picture 119'")
    assert page.locator(FINISHED).count() < 40
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_function(
        "[...document.querySelectorAll('#queue_finished .queue-prompt')].some((one) => one.textContent === 'picture 0')"
    )
    assert page.locator(FINISHED).count() < 40
    page.once("dialog", lambda dialog: dialog.accept())
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("button", name="Clear the list").click()
    page.wait_for_function("document.querySelector('#queue_finished').dataset.count === '0'")
    assert studio.jobs.finished() == (0, ())


def test_an_inpainting_job_comes_back_with_its_picture_and_mask(page, studio: StandIn, ask) -> None:
    picture, mask = gradient(96, 64, 5, 1.0), Image.new("L", (96, 64))
    mask.paste(255, (10, 20, 30, 40))
    asked = GenerationRequest(
        prompt="a lamp",
        steps=2,
        width=96,
        height=64,
        denoising_strength=0.5,
        source=Source((picture,), mask=Mask(mask, 9, 9, only_masked=True)),
        controls=(ControlUnit("canny", "a control", 0.75, picture),),
        settings={"face_restoration_model": "GFPGAN"},
    )
    job = studio.submit(asked, kind="img2img")
    studio.jobs.wait(job.id, 10)
    opens(page, 1, FINISHED)
    page.locator(FINISHED).first.get_by_role("button", name="Put its settings into the form").click()
    page.wait_for_function("document.querySelector('#img2img_prompt textarea')?.value === 'a lamp'")
    page.locator("#mode_img2img [role=tab][aria-selected=true]", has_text="Inpaint").first.wait_for()
    page.wait_for_function("document.querySelector('#img2maskimg canvas')")
    drawn = len(studio.drawn)
    page.click("#img2img_generate")
    page.wait_for_function("!document.body.dataset.job && document.querySelector('#html_info_img2img .said')")
    again = studio.drawn[drawn]
    assert again.prompt == "a lamp"
    assert again.settings == {"face_restoration_model": "GFPGAN"}
    assert list(again.source.images[0].convert("RGB").getdata()) == list(picture.getdata())
    assert list(again.source.mask.image.getdata()) == list(mask.getdata())
    assert (again.source.mask.blur_x, again.source.mask.only_masked) == (9, True)
    assert [(unit.module, unit.model, unit.weight) for unit in again.controls] == [("canny", "a control", 0.75)]
