"""Tabs of extensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
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
    with outside():
        brought = script_callbacks.ui_tabs_callback()
    for blocks, title, elem_id in brought:
        if title not in hidden:
            found.append((str(title), str(elem_id), partial(_join, blocks)))
    order = {title: place for place, title in enumerate(bound().settings.get("ui_tab_order", ()))}
    found.sort(key=lambda tab: order.get(tab[0], len(order)))
    bound().tabs[:] = [elem_id for _, elem_id, _ in found]
    shared.tab_names[:] = [title for title, _, _ in found]
    return found


def train_tabs() -> None:
    """Builds, inside the tabs of the Train tab, what extensions add there."""
    from modules import infotext_utils, script_callbacks

    if not script_callbacks.has_any("ui_train_tabs"):
        return
    fields = {key: component for component, key in infotext_utils.paste_fields["txt2img"]["fields"]}
    wanted = ("Prompt", "Negative prompt", "Steps", "Sampler", "CFG scale", "Seed", "Size-1", "Size-2")
    script_callbacks.ui_train_tabs_callback(
        script_callbacks.UiTrainTabParams([fields[key] for key in wanted if key in fields])
    )


def _join(blocks: gr.Blocks | Any) -> None:
    blocks.render()


@contextmanager
def outside() -> Iterator[None]:
    """Within: blocks that are made are pages of their own and do not join the one that is being built."""
    from gradio.context import Context

    from modules.gui.guard import unserved

    root, block = Context.root_block, Context.block
    Context.root_block = Context.block = None
    try:
        with unserved():
            yield
    finally:
        Context.root_block, Context.block = root, block
