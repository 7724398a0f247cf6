"""A served page for the whole session, and a browser on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.gui.serving import app_of, served
from tests.gui.stand_in import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Opening the page takes seconds, so most of what needs it waits for `-m slow`; the rest is what must never break.
ALWAYS = frozenset({"test_in_browser", "test_canvas_in_browser", "test_extras_in_browser", "test_markup_in_browser"})
OPENS_THE_PAGE = frozenset({"page", "visit", "regular", "library", "extras", "cards"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that open the page as slow, but for those of ALWAYS."""
    here = Path(__file__).parent
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if item.path.parent == here and names & OPENS_THE_PAGE and item.path.stem not in ALWAYS:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    studio = StandIn(tmp_path_factory.mktemp("studio"))
    yield studio
    studio.gate.set()
    studio.jobs.close()


@pytest.fixture(scope="session")
def address(shared_studio: StandIn) -> Iterator[str]:
    with served(app_of(shared_studio)) as where:
        yield where


@pytest.fixture
def studio(shared_studio: StandIn) -> Iterator[StandIn]:
    """The stand-in, as it was made, whatever the last test did to it; its jobs are gone or finished afterwards."""
    shared_studio.reset()
    yield shared_studio
    shared_studio.gate.set()
    for job in shared_studio.jobs.active():
        shared_studio.jobs.cancel(job.id)
        shared_studio.jobs.wait(job.id, 10)


@pytest.fixture(scope="module")  # its event loop must not outlive the browser tests: others run their own
def browser() -> Iterator[Browser]:
    """Chromium, started once. Skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: `./webui.sh test` installs it where it may")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Visitor:
    """Opens pages in one browser profile; what goes wrong in a page's scripts fails the test."""

    def __init__(self, browser: Browser, address: str, **options: object) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, "locale": "en-US", **options})
        self.context.set_default_timeout(45_000)
        self.address = address
        self.faults: list[str] = []
        self.requests: list[str] = []

    def open(self, query: str = "") -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(f"{self.address}/{query}")
        ready(page)
        return page


def ready(page: Page) -> None:
    """Waits until the page's scripts have taken hold of it."""
    page.wait_for_function("document.body.dataset.ready && document.body.dataset.draft")


@pytest.fixture
def visit(browser: Browser, address: str, studio: StandIn) -> Iterator[object]:
    """`visit(**options)` -> Visitor with a browser profile of its own."""
    visitors: list[Visitor] = []

    def visit(**options: object) -> Visitor:
        visitors.append(Visitor(browser, address, **options))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.context.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.fixture(scope="module")
def regular(browser: Browser, address: str) -> Iterator[Visitor]:
    """A visitor whose browser has the page's files already: opening it takes half the time."""
    visitor = Visitor(browser, address)
    yield visitor
    visitor.context.close()


@pytest.fixture
def page(regular: Visitor, studio: StandIn) -> Iterator[Page]:
    """A fresh page without drafts."""
    del regular.faults[:]
    page = regular.open()
    yield page
    page.evaluate("localStorage.clear(); sessionStorage.clear(); document.body.dataset.draft = ''")
    # In this order: an answer that is still under way would bring the cookie back.
    page.close()
    regular.context.clear_cookies()
    assert regular.faults == []


@pytest.fixture
def locales() -> Path:
    return Path(__file__).resolve().parents[2] / "modules" / "gui" / "locale"
