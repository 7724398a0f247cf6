"""The page on a phone: every tab is reached, nothing is wider than the screen, and buttons fit a finger."""

from __future__ import annotations

import pytest

from tests.gui.conftest import Visitor
from tests.gui.stand_in import StandIn
from tests.gui.test_accessibility import TABS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# Left and right of what is chosen, in the line of tabs.
CHOSEN = """tab => {
    const [line, button] = ["#tabs [role=tablist]", `#tab_${tab}-button`].map((one) => document.querySelector(one));
    const [outside, inside] = [line, button].map((one) => one.getBoundingClientRect());
    return button.ariaSelected === "true" && inside.left >= outside.left && inside.right <= outside.right;
}"""
SMALL = """() => [...document.querySelectorAll("button.tool, .own-buttons button, .generate-box button")]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 40)
    .map((one) => one.id || one.textContent || one.ariaLabel)"""

# Beyond the edge, where nothing can be scrolled to bring it in.
BEYOND = """() => {
    const scrolls = (one) => one && (/auto|scroll/.test(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
    return [...document.querySelectorAll("button, input, select, textarea")]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > 391)
        .filter((one) => !scrolls(one.parentElement))
        .map((one) => one.id || one.textContent || one.ariaLabel);
}"""
DOUBLE = """() => [...document.querySelectorAll("[id]")].map((one) => one.id)
    .filter((id, place, all) => id && all.indexOf(id) !== place)"""


def test_every_tab_fits_a_phone(browser, address: str, studio: StandIn) -> None:
    visitor = Visitor(browser, address, **PHONE)
    page = visitor.open()
    wide, small = {}, {}
    for tab in (*TABS[::-1], TABS[0]):
        page.evaluate("tab => document.getElementById(`tab_${tab}-button`).click()", tab)
        page.wait_for_function(CHOSEN, arg=tab)
        page.wait_for_timeout(300)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide[tab] = width
        if found := page.evaluate(BEYOND):
            wide[tab] = found
        if found := page.evaluate(SMALL):
            small[tab] = found
    # A1111 calls the list of scripts the same in both tabs, and styles of users go by it.
    double = set(page.evaluate(DOUBLE)) - {"script_list"}
    page.click("#txt2img_generate")
    page.locator("#txt2img_gallery .media-button").first.click()
    page.locator("#lightboxModal .modalClose").wait_for()
    tools = [one.bounding_box() for one in page.locator("#modalControls > button:visible").all()]
    visitor.context.close()
    assert all(0 <= one["x"] <= 390 - one["width"] and one["width"] >= 32 <= one["height"] for one in tools)
    assert (wide, small, double) == ({}, {}, set())
