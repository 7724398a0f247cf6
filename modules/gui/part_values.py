"""Values of the parts that have an accordion of their own: details and the built-in scripts. No components here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from modules.generation.always_on import ALWAYS_ON
from modules.generation.detail_texts import read, units_from
from modules.gui.given import given
from modules.terms.declare import params_of
from modules.terms.detail import NONE, DetailPass, DetailUnit

_PARTS = {"soft": "Soft Inpainting", "outpaint": "Outpaint"}
DETAIL = "detail"
UNITS = 2
SKIP = f"{DETAIL}.skip"
# Part of the form -> the built-in script that it asks for.
SCRIPTS = {part: script for script in ALWAYS_ON for part, title in _PARTS.items() if script.title == title}


def detail_of(values: Mapping[str, Any]) -> DetailPass | None:
    """The detail pass that the page asks for; None where its switch is off or no unit has a detector."""
    if not values.get(DETAIL):
        return None
    numbers = [number for number in range(UNITS) if values.get(f"{DETAIL}.{number}.model") not in (None, "", NONE)]
    units = tuple(DetailUnit(**given(DetailUnit, values, f"{DETAIL}.{number}.")) for number in numbers)
    return DetailPass(units, skip_img2img=bool(values.get(SKIP))) if units else None


def detail_values(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """Values by field name of what a text says of details; units that it does not mention have no detector."""
    units, _ = units_from(parsed)
    values: dict[str, Any] = {DETAIL: bool(units)}
    if not units:
        return values
    for number in range(UNITS):
        unit = units[number] if number < len(units) else DetailUnit(model=NONE)
        values.update({f"{DETAIL}.{number}.{name}": getattr(unit, name) for name in params_of(DetailUnit)})
    return values


def script_args(values: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The arguments of the built-in scripts whose switches are on, by title."""
    return {
        script.title: astuple(script.options(**{**given(script.options, values, f"{part}."), "enabled": True}))
        for part, script in SCRIPTS.items()
        if values.get(part)
    }


def script_values(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """Values by field name of what a text says of the built-in scripts; those it does not mention are off."""
    values: dict[str, Any] = {}
    for part, script in SCRIPTS.items():
        for name, knob in params_of(script.options).items():
            written = parsed.get(knob.infotext)
            if name == "enabled":
                values[part] = str(written) == "True"
            elif written is not None and (value := read(knob, written)) is not None:
                values[f"{part}.{name}"] = value
    return values
