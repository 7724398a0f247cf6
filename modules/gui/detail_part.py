"""The accordion of the detail pass.

Element ids are those of the ADetailer extension for A1111, by which people's scripts and styles find them.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.generation.detail_texts import suffix
from modules.gui.i18n import label
from modules.gui.part_values import DETAIL, SKIP, UNITS
from modules.gui.widgets import Fields, Listing, param_field, switched_accordion
from modules.terms.declare import params_of
from modules.terms.detail import FACE, NONE, DetailUnit

# What stands on the page at once, row by row; the rest of the knobs is behind "More".
ROWS = (
    ("prompt", "negative_prompt"),
    ("denoising_strength", "confidence"),
    ("mask_blur", "dilate"),
    ("padding", "most"),
)
SHOWN = {"model", *(name for row in ROWS for name in row)}


def detail_part(tab: str, fields: Fields, listing: Listing) -> None:
    """Builds the accordion: as many units as there are tabs in it."""
    with switched_accordion(fields, DETAIL, "page.detail", elem_id=f"script_{tab}_adetailer_ad_main_accordion"):
        if tab == "img2img":
            skip = gr.Checkbox(
                False, label=label("page.detail_skip"), elem_id=f"script_{tab}_adetailer_ad_skip_img2img"
            )
            fields.add(SKIP, skip)
        with gr.Tabs(
            elem_id=f"script_{tab}_adetailer_ad_units", elem_classes=["modes"], overflow_behavior="wrap"
        ):
            for number in range(UNITS):
                with gr.Tab(str(number + 1), elem_id=f"script_{tab}_adetailer_ad_unit_{number + 1}"):
                    _unit(tab, fields, listing, number)


def _unit(tab: str, fields: Fields, listing: Listing, number: int) -> None:
    knobs = params_of(DetailUnit)

    def field(name: str, **options: Any) -> None:
        elem_id = f"script_{tab}_adetailer_{knobs[name].key}{suffix(number).replace(' ', '_')}"
        param_field(fields, DetailUnit, name, listing, part=f"{DETAIL}.{number}", elem_id=elem_id, **options)

    field("model", value=NONE if number else FACE, first=(label("page.detail_none"), NONE))
    for row in ROWS:
        with gr.Row(elem_classes=["two"]):
            for name in row:
                field(name)
    with gr.Accordion(label("page.detail_more"), open=False, elem_classes=["quiet"]):
        rest = [name for name in knobs if name not in SHOWN]
        for start in range(0, len(rest), 2):
            with gr.Row(elem_classes=["two"]):
                for name in rest[start : start + 2]:
                    field(name)
