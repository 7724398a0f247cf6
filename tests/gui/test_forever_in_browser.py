"""Generate forever, its menu, interrupting between batches, notices, and what other pages hear of a job."""

from __future__ import annotations

from tests.gui.stand_in import StandIn
from tests.gui.test_in_browser import GENERATE, PROMPT, generate, idle, running, set_number, shows

MENU = "#context-menu"


def test_generate_forever_until_it_is_cancelled(page, studio: StandIn) -> None:
    page.fill(PROMPT, "again and again")
    set_number(page, "txt2img_steps", 1)
    page.click(GENERATE, button="right")
    assert page.locator(f"{MENU} [role=menuitem]").all_inner_texts()[:2] == [
        "Generate forever",
        "Cancel generate forever",
    ]
    before = len(studio.drawn)
    page.get_by_role("menuitem", name="Generate forever", exact=True).click()
    page.wait_for_function("document.querySelector('#txt2img_forever').ariaPressed === 'true'")
    shows(page, "again and again")
    while len(studio.drawn) < before + 3:
        page.wait_for_timeout(50)
    page.click("#txt2img_interrupt", button="right")
    page.get_by_role("menuitem", name="Cancel generate forever").click()
    # One may have been pressed for already.
    page.wait_for_timeout(500)
    idle(page)
    drawn = len(studio.drawn)
    page.wait_for_timeout(500)
    assert len(studio.drawn) == drawn


def test_generate_forever_ends_with_a_failure(page, studio: StandIn) -> None:
    page.fill(PROMPT, "explode")
    page.click(GENERATE, button="right")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast.warning")
    assert page.get_attribute("#txt2img_forever", "aria-pressed") == "false"
    assert page.locator(".toast.warning").inner_text().startswith("Generate forever has ended")


def test_escape_closes_the_menu_and_nothing_else(page, studio: StandIn) -> None:
    studio.gate.clear()
    generate(page, "goes on")
    running(page)
    page.click(GENERATE, button="right")
    page.keyboard.press("Escape")
    assert page.locator(MENU).count() == 0
    studio.gate.set()
    shows(page, "goes on")
    assert "Interrupted" not in page.inner_text("#html_log_txt2img")


def test_interrupt_lets_the_batch_be_finished_first(page, studio: StandIn) -> None:
    studio.gate.clear()
    set_number(page, "txt2img_batch_count", 3)
    generate(page, "three batches")
    running(page)
    page.click("#txt2img_interrupt")
    says = "text => document.querySelector('#txt2img_live .live-text').textContent.includes(text)"
    page.wait_for_function(says, arg="after this batch")
    (job,) = studio.jobs.active()
    assert job.stopping == "finish"
    page.click("#txt2img_interrupt")
    page.wait_for_function(says, arg="after this step")
    assert studio.jobs.get(job.id).stopping == "interrupt"
    studio.gate.set()
    idle(page)


def test_another_page_is_offered_the_result(visit, studio: StandIn) -> None:
    first, second = visit(), visit()
    one, two = first.open(), second.open()
    generate(two, "mine")
    shows(two, "mine")
    studio.gate.clear()
    generate(one, "of another page")
    running(one)
    running(two)
    studio.gate.set()
    shows(one, "of another page")
    two.wait_for_selector("#html_log_txt2img .offer")
    assert two.inner_text("#html_info_txt2img .said") == "mine"
    two.click("#html_log_txt2img .offer button")
    shows(two, "of another page")


def test_a_sound_is_played_once_it_is_there(page, studio: StandIn) -> None:
    (studio.flags.data_dir / "notification.mp3").write_bytes(b"ID3")
    studio.set_options({"notification_volume": 40})
    page.wait_for_function("window.atelierBoot.options.notification_sound === true")
    page.evaluate(
        "window.Audio = class { constructor(url) { window.heard = this; this.url = url }"
        " play() { return Promise.resolve() } }; null"
    )
    generate(page, "with a sound")
    shows(page, "with a sound")
    page.wait_for_function("window.heard?.volume === 0.4")
    assert page.request.get(page.evaluate("String(window.heard.url)")).headers["content-type"] == "audio/mpeg"
    (studio.flags.data_dir / "notification.mp3").unlink()
    studio.set_options({"notification_volume": 100})


def test_settings_that_changed_while_there_was_no_stream_arrive(visit, studio: StandIn) -> None:
    visitor, refused = visit(), []
    # A stream of the page's own, which can be kept from it.
    visitor.context.add_init_script("window.SharedWorker = undefined")
    visitor.context.route("**/internal/events", lambda route: refused.append(route.abort()))
    page = visitor.open()
    while not refused:
        page.wait_for_timeout(50)
    studio.set_options({"notification_volume": 40})
    visitor.context.unroute("**/internal/events")
    page.wait_for_function("window.atelierBoot.options.notification_volume === 40")
    studio.set_options({"notification_volume": 100})


def test_notices_of_the_browser_are_switched_in_the_settings(visit, address: str) -> None:
    visitor = visit()
    visitor.context.grant_permissions(["notifications"], origin=address)
    page = visitor.open()
    page.click("#tab_settings-button")
    page.fill("#settings_search", "browser notification")
    switch = page.locator("#browser_notices")
    switch.check()
    page.wait_for_function("localStorage.getItem('atelier.notices') === 'on'")
    assert switch.is_checked()
    assert page.locator("#settings_submit").is_disabled()
    switch.uncheck()
    page.wait_for_function("localStorage.getItem('atelier.notices') === 'off'")
