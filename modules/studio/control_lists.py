"""What ControlNet units can choose from. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modules.control.library import ControlLibrary
from modules.control.preprocessor import Preprocessor
from modules.control.preprocessors import PREPROCESSORS
from modules.terms.control import NONE

Row = dict[str, Any]
TITLE = "ControlNet"
# How many units the page shows, as the extension does; requests may have any number.
UNIT_COUNT = 3
# Control type -> parts of file names that mean it, besides its own name.
NAME_PARTS = {
    "instructp2p": ("ip2p",),
    "segmentation": ("seg",),
    "normalmap": ("normal",),
    "t2i-adapter": ("t2i_adapter", "t2iadapter", "t2ia"),
    "openpose": ("densepose",),
    "scribble": ("sketch",),
    "tile": ("blur",),
}


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


@dataclass(frozen=True)
class ControlType:
    """What units of one type choose from: preprocessors by name and files by title. module, model: to begin with."""

    modules: tuple[str, ...]
    models: tuple[str, ...]
    module: str = "none"
    model: str = NONE


def control_types(titles: Sequence[str]) -> dict[str, ControlType]:
    """Preprocessors and models, whose `titles` these are, by what they steer with; "All" first."""
    models = (NONE, *(title for title in titles if title != NONE))
    entries = in_order()
    names = sorted({tag for entry in entries for tag in entry.tags})
    everything = ControlType(tuple(entry.name for entry in entries), models)
    return {"All": everything, **{name: _of_type(name, entries, models) for name in names}}


def _of_type(name: str, entries: Sequence[Preprocessor], models: tuple[str, ...]) -> ControlType:
    parts = (name.lower(), *NAME_PARTS.get(name.lower(), ()))
    fitting = tuple(model for model in models if model == NONE or any(part in model.lower() for part in parts))
    own = [entry for entry in entries if name in entry.tags and entry.name != "none"]
    first = next((entry for entry in own if entry.first), None)
    # Version 1.1 of the networks is the one to take where there are several.
    preferred = next((model for model in fitting if "11" in model.partition("[")[0]), (*fitting, NONE, NONE)[1])
    model = NONE if first is not None and first.lends_look else preferred
    return ControlType(("none", *(entry.name for entry in own)), fitting, first.name if first else "none", model)
