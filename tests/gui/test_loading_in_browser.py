"""What is pressed while the page still loads counts, and proportions are seen on the picture."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.gui.conftest import Visitor, ready
from tests.gui.stand_in import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Presses a tab the moment it is there, and notes where it stands when it is first seen.
AT_ONCE = """new MutationObserver((_, observer) => {
    const tab = document.getElementById("tab_settings-button");
    if (!tab?.checkVisibility()) return;
    observer.disconnect();
    requestAnimationFrame(() => (window.stood = tab.getBoundingClientRect().top));
    tab.click();
}).observe(document, { childList: true, subtree: true })"""


def test_a_tab_that_is_pressed_at_once_opens_and_does_not_move(browser, address: str, studio: StandIn) -> None:
    visitor = Visitor(browser, address)
    visitor.context.add_init_script(AT_ONCE)
    page = visitor.context.new_page()
    page.goto(address)
    ready(page)
    page.locator("#settings .setting").first.wait_for()
    place = page.locator("#tab_settings-button")
    assert place.get_attribute("aria-selected") == "true"
    assert abs(place.bounding_box()["y"] - page.evaluate("window.stood")) < 3
    visitor.context.close()


def test_new_proportions_are_shown_on_the_picture(page, studio: StandIn) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "PNG")
    page.click("#tab_img2img-button")
    files = page.locator("#img2img_image input[type=file]")
    files.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture.getvalue()})
    page.locator("#img2img_image .canvas.filled").wait_for()
    height = page.input_value("#img2img_height input[type=number]")
    page.fill("#img2img_width input[type=number]", str(2 * int(height)))
    frame, screen = (page.locator(one) for one in ("#imageARPreview", "#img2img_image .canvas-screen"))
    frame.wait_for()
    inside, whole = frame.bounding_box(), screen.bounding_box()
    side = min(whole["width"], whole["height"])  # of the picture, which is a square
    assert inside["width"] == pytest.approx(side, abs=6)
    assert inside["height"] == pytest.approx(side / 2, abs=6)
    assert inside["y"] - whole["y"] == pytest.approx(whole["height"] / 2 - side / 4, abs=6)
    frame.wait_for(state="hidden")
