"""What ControlNet units can choose from. Needs no torch."""

from __future__ import annotations

from typing import Any

from modules.control.library import ControlLibrary
from modules.control.preprocessor import Preprocessor
from modules.control.preprocessors import PREPROCESSORS
from modules.terms.control import NONE

Row = dict[str, Any]
TITLE = "ControlNet"


def model_names(library: ControlLibrary) -> list[str]:
    return [NONE, *(info.title for info in library.infos)]


def model_rows(library: ControlLibrary) -> list[Row]:
    return [{"name": info.title, "path": str(info.path)} for info in library.infos]


def module_names() -> list[str]:
    return [entry.title for entry in in_order()]


def module_rows() -> list[Row]:
    """Every preprocessor: its name and label, whether it runs here, its control types and its numbers."""
    return [
        {
            "name": entry.name,
            "label": entry.title,
            "works": not entry.missing,
            "types": list(entry.tags),
            "first": entry.first,
            "needs_model": not entry.lends_look,
            "sliders": [
                {"name": knob.label, "value": knob.default, "min": knob.minimum, "max": knob.maximum, "step": knob.step}
                for knob in entry.knobs
            ],
        }
        for entry in in_order()
    ]


def in_order() -> list[Preprocessor]:
    """None, then those that run here, then the others."""
    first, *others = PREPROCESSORS
    return [first, *sorted(others, key=lambda entry: (bool(entry.missing), not entry.first, entry.title))]


def script_rows() -> list[Row]:
    """ControlNet as clients look for it among the scripts. Its arguments are objects, which have no controls here."""
    return [{"name": TITLE, "is_alwayson": True, "is_img2img": img2img, "args": []} for img2img in (False, True)]
