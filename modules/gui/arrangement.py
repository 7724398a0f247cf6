"""How the user wants the page arranged: tabs, parts of the forms, and where the prompts stand.

Works on the finished components: the order of a layout's children is the order on the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block, BlockContext

# A1111's names of the parts of a form, in its order -> ends of the element ids that belong to them.
CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt": ("prompt_container",),
    "image": ("mode_img2img",),
    "inpaint": ("inpaint_controls",),
    "sampler": ("sampler_selection",),
    "accordions": ("accordions",),
    "checkboxes": (),
    "dimensions": ("dimensions_row", "resize_mode", "column_size"),
    "cfg": ("cfg_scale",),
    "denoising": ("denoising_strength",),
    "seed": ("seed_row", "seed_extras"),
    "batch": ("column_batch",),
    "override_settings": ("override_settings",),
    "scripts": ("script_container",),
}
# Element id of a tab -> its English title, which the settings about tabs go by.
TITLES: Final[Mapping[str, str]] = {
    "tab_txt2img": "txt2img",
    "tab_img2img": "img2img",
    "tab_extras": "Extras",
    "tab_pnginfo": "PNG Info",
    "tab_modelmerger": "Checkpoint Merger",
    "tab_train": "Train",
    "tab_library": "Library",
    "tab_models": "Models",
    "tab_queue": "Queue",
    "tab_settings": "Settings",
}


def arrange(demo: gr.Blocks, settings: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Applies the settings about the page's arrangement. `titles`: element id of a tab -> A1111's title of it."""
    found = {block.elem_id: block for block in demo.blocks.values() if block.elem_id}
    tabs = found.get("tabs")
    if isinstance(tabs, BlockContext):
        _tabs(tabs, settings, titles)
    for tab in ("txt2img", "img2img"):
        column = found.get(f"{tab}_settings")
        if not isinstance(column, BlockContext):
            continue
        if settings["ui_reorder_list"]:
            reorder(column, tab, settings["ui_reorder_list"])
        if settings["compact_prompt_box"]:
            _compact(found, tab, column)


def _tabs(tabs: BlockContext, settings: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    order = {title: place for place, title in enumerate(settings["ui_tab_order"])}
    hidden = set(settings["hidden_tabs"]) - {"Settings"}  # without it nobody could get the others back
    children = [tab for tab in tabs.children if isinstance(tab, gr.Tab)]
    for tab in children:
        if _title(tab, titles) in hidden:
            tab.visible = False
    tabs.children.sort(key=lambda tab: order.get(_title(tab, titles), len(order)))
    shown = next((tab for tab in tabs.children if isinstance(tab, gr.Tab) and tab.visible), None)
    if shown is not None and (order or hidden):
        setattr(tabs, "selected", shown.id)  # noqa: B010


def _title(tab: Block, titles: Mapping[str, str]) -> str:
    return titles.get(tab.elem_id or "", str(getattr(tab, "label", "")))


def reorder(column: BlockContext, tab: str, wanted: Iterable[str]) -> None:
    """Puts the parts of a form that `wanted` names first, in its order; the others follow as they were."""
    place = {category: number for number, category in enumerate(wanted)}
    usual = {id(child): number for number, child in enumerate(column.children)}
    last = len(place)
    column.children.sort(key=lambda child: (place.get(category_of(child, tab), last), usual[id(child)]))


def category_of(block: Block, tab: str) -> str:
    """The part of the form that `block` belongs to by what stands in it; "" if it is none of A1111's."""
    for one in within(block):
        name = (one.elem_id or "").removeprefix(f"{tab}_").removesuffix(f"_{tab}")
        for category, ends in CATEGORIES.items():
            if name in ends:
                return category
    return ""


def within(block: Block) -> Iterator[Block]:
    """`block` and all that stands in it."""
    yield block
    for child in getattr(block, "children", ()):
        yield from within(child)


def _compact(found: Mapping[str, Block], tab: str, column: BlockContext) -> None:
    """Prompts above the settings, buttons above the gallery."""
    results, top = found.get(f"{tab}_results"), found.get(f"{tab}_toprow")
    prompts, actions = found.get(f"{tab}_prompt_container"), found.get(f"{tab}_actions_column")
    if not (isinstance(results, BlockContext) and isinstance(top, BlockContext) and prompts and actions):
        return
    for block, target in ((prompts, column), (actions, results)):
        top.children.remove(block)
        target.children.insert(0, block)
        block.parent = target
    top.visible = False
