"""The ControlNet panel: a frame that static/control.js fills when its accordion is first opened.

Own fields and not Gradio components: three units in two tabs would be two hundred of them, with thousands of choices,
in a page that most people open for something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from modules.control.preprocessor import Knob, Preprocessor
from modules.control.preprocessors import PREPROCESSORS
from modules.gui import i18n
from modules.gui.control_values import CONTROLS
from modules.gui.i18n import label
from modules.gui.widgets import Fields, unit_panel
from modules.studio.control_lists import UNIT_COUNT, control_types

PREFIX = "control."


def build(tab: str, fields: Fields) -> None:
    """The closed accordion; the panel's value is field CONTROLS."""
    with gr.Accordion(label("page.controlnet"), open=False, elem_id=f"{tab}_controlnet", elem_classes=["quiet"]):
        unit_panel(tab, fields, CONTROLS, elem_id=f"{tab}_controlnet_panel")


def describe(titles: Sequence[str], language: str) -> dict[str, Any]:
    """What the panel shows: its words, the control types with their choices, and each preprocessor with its numbers.

    titles: of the models that there are.
    """
    texts = i18n.texts(language)
    words = {key.removeprefix(PREFIX): text for key, text in texts.items() if key.startswith(PREFIX)}
    types = {
        name: {"modules": one.modules, "models": one.models, "module": one.module, "model": one.model}
        for name, one in control_types(titles).items()
    }
    modules = {entry.name: described(entry, words) for entry in PREPROCESSORS}
    return {"units": UNIT_COUNT, "words": words, "types": types, "modules": modules}


def described(entry: Preprocessor, words: Mapping[str, str]) -> dict[str, Any]:
    """A preprocessor: what it is called, whether it runs here, whether it needs a model, and its numbers by field."""
    knobs = {"processor_res": entry.resolution, "threshold_a": entry.a, "threshold_b": entry.b}
    return {
        "label": entry.title,
        "missing": entry.missing,
        "needs_model": not entry.lends_look,
        "masked": entry.takes_mask,
        "knobs": {field: _knob(knob, words) for field, knob in knobs.items() if knob is not None},
    }


def _knob(knob: Knob, words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "label": words.get(f"knob.{knob.label}", knob.label),
        "min": knob.minimum,
        "max": knob.maximum,
        "step": knob.step,
        "value": knob.default,
    }
