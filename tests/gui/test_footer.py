"""The foot of the page and the line under the pictures."""

from __future__ import annotations

import platform

import pytest

from tests.gui.stand_in import StandIn


@pytest.mark.browser
def test_the_foot_says_what_runs_here_and_the_line_what_it_took(page, studio: StandIn) -> None:
    foot = page.locator("#footer .versions")
    foot.get_by_text(f"python: {platform.python_version()}").wait_for()
    assert "gradio: 6" in foot.inner_text()
    assert foot.get_by_text("API").get_attribute("href").endswith("/docs")
    foot.get_by_role("button", name="Startup profile").click()
    page.get_by_role("dialog", name="Startup profile").get_by_role("button", name="Close").click()
    studio.memory = {"active": 2 << 30, "reserved": 3 << 30, "system": 4 << 30, "total": 16 << 30}
    page.click("#txt2img_generate")
    line = page.locator("#html_log_txt2img .vram")
    line.wait_for()
    assert line.inner_text() == "A: 2.00 GB, R: 3.00 GB, Sys: 4.00 GB/16.00 GB (25.0 %)"
