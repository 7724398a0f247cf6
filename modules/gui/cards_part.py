"""The tabs below a prompt: the form itself, and the networks and checkpoints as cards; static/cards.js draws them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from modules.gui.i18n import label
from modules.gui.needs import Studio
from modules.gui.widgets import frame, private, script

# A1111's name of a page in element ids -> the cards it shows, and its words.
PAGES = {
    "textual_inversion": ("embeddings", "page.cards.textual_inversion"),
    "hypernetworks": ("hypernetworks", "page.cards.hypernetworks"),
    "checkpoints": ("checkpoints", "page.cards.checkpoints"),
    "lora": ("loras", "page.cards.lora"),
}


@contextmanager
def with_cards(studio: Studio, tab: str) -> Iterator[None]:
    """Within: the tab "Generation" of `tab` is built. The cards come beside it; nothing of them is sent before one of
    their tabs is opened."""
    with gr.Tabs(elem_id=f"{tab}_extra_tabs", elem_classes=["extra-networks"], overflow_behavior="wrap"):
        with gr.Tab(label("page.cards.generation"), id=f"{tab}_generation", elem_id=f"{tab}_generation_tab") as form:
            yield
        form.select(fn=None, js=script("closeCards", tab), **private())
        pages: dict[str, tuple[str, Any]] = {page: (kind, label(words)) for page, (kind, words) in PAGES.items()}
        if studio.host is not None:
            pages |= {page: (kind, title) for page, kind, title in studio.host.page.card_pages() if page not in pages}
        for page in ordered(str(studio.settings["ui_extra_networks_tab_reorder"]), tuple(pages)):
            kind, title = pages[page]
            with gr.Tab(title, id=f"{tab}_{page}", elem_id=f"{tab}_{page}", elem_classes=["extra-page"]) as one:
                frame(
                    f'<div id="{tab}_{page}_pane" class="extra-network-pane own-fields"></div>',
                    elem_id=f"{tab}_{page}_cards_html",
                )
            one.select(fn=None, js=script("openCards", tab, page, kind), **private())


def ordered(wanted: str, pages: tuple[str, ...] = tuple(PAGES)) -> list[str]:
    """`pages` in the order of the names in `wanted`, separated by commas; the others follow. Parts of names do."""
    names = [name.strip().lower().replace(" ", "_") for name in wanted.split(",") if name.strip()]

    def rank(page: str) -> int:
        return next((place for place, name in enumerate(names) if name in page), len(names))

    return sorted(pages, key=rank)
