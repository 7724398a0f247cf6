"""Tabs of which the open one is a value: it is handed over with the fields and comes back with a draft."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import gradio as gr

from modules.gui.i18n import label
from modules.gui.widgets import Fields, private

Page = Callable[[str, str, str], gr.Tab]


@contextmanager
def open_tabs(name: str, fields: Fields, first: str, *, elem_id: str) -> Iterator[Page]:
    """Tabs of which one counts: the field `name` holds the id of the open one, and opens it when a draft sets it.

    What it yields makes a tab of (id, words, element id).
    """
    open_one = gr.Textbox(first, visible="hidden", elem_id=f"{elem_id}_open")
    fields.add(name, open_one)
    pages: list[gr.Tab] = []

    def page(id_: str, text: str, page_elem_id: str) -> gr.Tab:
        pages.append(gr.Tab(label(text), id=id_, elem_id=page_elem_id))
        return pages[-1]

    with gr.Tabs(elem_id=elem_id, elem_classes=["modes"], selected=first, overflow_behavior="wrap") as tabs:
        yield page
    _bind(open_one, tabs, pages)


def _bind(open_one: gr.Textbox, tabs: gr.Tabs, pages: Sequence[gr.Tab]) -> None:
    for one in pages:
        one.select(fn=None, js=f"() => {json.dumps(one.id)}", outputs=open_one, **private())
    open_one.change(
        fn=None, js="(open) => ({ __type__: 'update', selected: open })", inputs=open_one, outputs=tabs, **private()
    )
