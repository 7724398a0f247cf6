"""ControlNet units in infotext, as the extension for A1111 writes and has written them.

`ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 1, ..."`; before 1.1.400 the value was
"preprocessor: canny, model: ..., starting/ending: (0, 1), ..., preprocessor params: (512, 100, 200)".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from modules.control.preprocessor import Preprocessor
from modules.control.preprocessors import PREPROCESSORS
from modules.terms.control import NONE, ControlUnit
from modules.terms.declare import Checkbox, Choice, Number, Slider, params_of
from modules.terms.errors import BadRequest

_ENTRY = re.compile(r"ControlNet (\d{1,2})")
_OLD_KEYS = "preprocessor params|preprocessor|model|weight|starting/ending|resize mode|pixel perfect|control mode"
_KEY = re.compile(rf"(?:^|, )([A-Z][a-z]+(?: [A-Z][a-z]*)*|{_OLD_KEYS}): ")
_NUMBERS = re.compile(r"\(([^)]*)\)")
# Keys of older versions -> those of today.
_OLD = {"preprocessor": "module"}


def described(unit: ControlUnit, preprocessor: Preprocessor) -> str:
    """The unit as infotext names it. Numbers that the preprocessor does not have are left out."""
    wish = preprocessor.wish(unit.processor_res, unit.threshold_a, unit.threshold_b)
    entries = {
        "Module": unit.module,
        "Model": unit.model,
        "Weight": unit.weight,
        "Resize Mode": unit.resize_mode,
        "Processor Res": wish.resolution if preprocessor.resolution else None,
        "Threshold A": wish.a if preprocessor.a else None,
        "Threshold B": wish.b if preprocessor.b else None,
        "Guidance Start": unit.guidance_start,
        "Guidance End": unit.guidance_end,
        "Pixel Perfect": unit.pixel_perfect,
        "Control Mode": unit.control_mode,
        "Hr Option": unit.hires_option,
    }
    return ", ".join(f"{key}: {_written(value)}" for key, value in entries.items() if value is not None)


def _written(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def units_in(entries: Mapping[str, Any]) -> dict[int, ControlUnit]:
    """Number -> unit, without its picture, for each that `entries` of a text name; what cannot be read is left out."""
    found = {}
    for key, text in entries.items():
        named = _ENTRY.fullmatch(key)
        if named and isinstance(text, str):
            fields = fields_of(text)
            if "module" in fields or "model" in fields:
                found[int(named[1])] = ControlUnit(**fields)
    return dict(sorted(found.items()))


def is_unit(key: str) -> bool:
    """Whether an entry of that name tells of a unit."""
    return _ENTRY.fullmatch(key) is not None


def fields_of(text: str) -> dict[str, Any]:
    """Field of a ControlUnit -> value, for what `text` says and a unit can have."""
    given = {_OLD.get(key.lower(), key.lower()): value for key, value in _pairs(text)}
    if "starting/ending" in given:
        given["guidance start"], given["guidance end"] = (*_numbers(given["starting/ending"]), "", "")[:2]
    if "preprocessor params" in given:
        numbers = (*_numbers(given["preprocessor params"]), "", "", "")[:3]
        given["processor res"], given["threshold a"], given["threshold b"] = numbers
    values: dict[str, Any] = {}
    for name, declared in params_of(ControlUnit).items():
        written = given.get(declared.infotext.lower()) if declared.infotext else None
        if written not in (None, ""):
            value = _typed(declared.control, str(written))
            if declared.control.check(value) is None:
                values[name] = value
    if values.get("module") not in PREPROCESSORS:
        values.pop("module", None)
    values["model"] = values.get("model") or NONE
    try:
        ControlUnit(**values).check()
    except BadRequest:
        values = {name: value for name, value in values.items() if name in ("module", "model", "weight")}
    return values


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Keys and values; a value ends where ", Key: " begins, so it may hold a comma."""
    marks = list(_KEY.finditer(text))
    for mark, following in zip_longest(marks, marks[1:]):
        yield mark[1], text[mark.end() : following.start() if following else len(text)].strip()


def _numbers(text: str) -> tuple[str, ...]:
    inside = _NUMBERS.search(text)
    return tuple(one.strip() for one in inside[1].split(",")) if inside else ()


def _typed(control: Slider | Number | Checkbox | Choice | Any, written: str) -> Any:
    if isinstance(control, Checkbox):
        return written == "True"
    if isinstance(control, (Slider, Number)):
        try:
            number = float(written)
        except ValueError:
            return written
        return int(number) if isinstance(control, Number) and control.integer and number.is_integer() else number
    return written
