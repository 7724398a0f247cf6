"""The accordion of the detail pass: switches, and a frame that static/detail.js fills when it is first opened.

Own fields and not Gradio components, as in the ControlNet panel: two units in two tabs are four times thirty fields.
Element ids are those of the ADetailer extension for A1111, by which people's scripts and styles find them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from modules.generation.detail_texts import MOST_UNITS, suffix
from modules.gui import i18n
from modules.gui.described import described_field
from modules.gui.i18n import label
from modules.gui.part_values import DETAIL, DETAIL_UNITS, SKIP, UNITS, fresh_unit
from modules.gui.widgets import Fields, Listing, switched_accordion, unit_panel
from modules.terms.declare import params_of
from modules.terms.detail import NONE, DetailUnit

# What stands in the panel at once, row by row; the rest of the knobs is behind "More".
ROWS = (
    ("model",),
    ("prompt", "negative_prompt"),
    ("denoising_strength", "confidence"),
    ("mask_blur", "dilate"),
    ("padding", "most"),
)
# Choices before those of the studio: what the field is when nothing was chosen.
FIRST: Mapping[str, tuple[str, str]] = {
    "model": (NONE, "page.detail_none"),
    "checkpoint": ("", "page.same_checkpoint"),
    "vae": ("", "page.same_vae"),
    "sampler": ("", "page.same_sampler"),
    "scheduler": ("", "page.same_scheduler"),
    "control_model": (NONE, "page.detail_none"),
    "control_module": (NONE, "page.detail_none"),
}


def detail_part(tab: str, fields: Fields) -> None:
    """Builds the accordion; the panel's value is field DETAIL_UNITS."""
    with switched_accordion(fields, DETAIL, "page.detail", elem_id=f"script_{tab}_adetailer_ad_main_accordion"):
        if tab == "img2img":
            skip = gr.Checkbox(
                False, label=label("page.detail_skip"), elem_id=f"script_{tab}_adetailer_ad_skip_img2img"
            )
            fields.add(SKIP, skip)
        unit_panel(tab, fields, DETAIL_UNITS, elem_id=f"script_{tab}_adetailer_ad_units")


def describe(listing: Listing, language: str) -> dict[str, Any]:
    """What the panel shows: its fields with their words and choices, in which rows, what the first unit and all others
    begin with, and how the element ids of each unit end."""
    texts = i18n.texts(language)
    knobs = params_of(DetailUnit)
    first = {name: (value, texts[key]) for name, (value, key) in FIRST.items()}
    shown = {name for row in ROWS for name in row}
    rest = [name for name in knobs if name not in shown]
    return {
        "units": UNITS,
        "fresh": [fresh_unit(number) for number in range(2)],
        "suffixes": [suffix(number).replace(" ", "_") for number in range(MOST_UNITS)],
        "rows": ROWS,
        "more": [rest[start : start + 2] for start in range(0, len(rest), 2)],
        "words": {"more": texts["page.detail_more"]},
        "fields": {name: described_field(DetailUnit, name, listing, texts, first.get(name)) for name in knobs},
    }
