"""Tabs of extensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound

if TYPE_CHECKING:
    import gradio as gr


def tabs() -> list[tuple[str, str, Callable[[], None]]]:
    """Title, elem_id and what builds the inside, of every tab that an extension brings and the settings do not hide.

    The blocks are made now, outside of the page's own, as extensions do it; they join it when they are built in.
    """
    from modules import script_callbacks, shared

    hidden = set(bound().settings.get("hidden_tabs", ()))
    found: list[tuple[str, str, Callable[[], None]]] = []
    for blocks, title, elem_id in script_callbacks.ui_tabs_callback():
        if title not in hidden:
            found.append((str(title), str(elem_id), lambda blocks=blocks: _join(blocks)))
    order = {title: place for place, title in enumerate(bound().settings.get("ui_tab_order", ()))}
    found.sort(key=lambda tab: order.get(tab[0], len(order)))
    bound().tabs[:] = [elem_id for _, elem_id, _ in found]
    shared.tab_names[:] = [title for title, _, _ in found]
    return found


def _join(blocks: gr.Blocks | Any) -> None:
    blocks.render()
