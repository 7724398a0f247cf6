"""Values of the parts that have an accordion of their own: details and the built-in scripts. No components here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from modules.generation.always_on import ALWAYS_ON
from modules.generation.detail_texts import read, units_from
from modules.gui.given import given
from modules.terms.declare import params_of
from modules.terms.detail import FACE, NONE, DetailPass, DetailUnit

_PARTS = {"soft": "Soft Inpainting", "outpaint": "Outpaint"}
DETAIL = "detail"
DETAIL_UNITS = f"{DETAIL}.units"
UNITS = 2
SKIP = f"{DETAIL}.skip"
# Part of the form -> the built-in script that it asks for.
SCRIPTS = {part: script for script in ALWAYS_ON for part, title in _PARTS.items() if script.title == title}
# A field of a unit as drafts and presets name it that are older than the units' panel: "detail.0.prompt".
_OLD_NAME = re.compile(rf"{DETAIL}\.(\d)\.(\w+)")


def fresh_unit(number: int) -> dict[str, Any]:
    """What the page's unit of that number is before anybody said anything: the first one looks for faces."""
    return {**_as_values(DetailUnit()), "model": NONE if number else FACE}


def detail_units(value: Any) -> list[dict[str, Any]]:
    """The units in the value of field DETAIL_UNITS, `{"units": [{"model": "face", …}, …]}`; those that it does not
    tell of are fresh. None before the panel was first opened."""
    given_units = value.get("units") if isinstance(value, Mapping) else None
    told = [one if isinstance(one, Mapping) else {} for one in given_units] if isinstance(given_units, list) else []
    told += [{}] * (UNITS - len(told))
    return [{**fresh_unit(number), **one} for number, one in enumerate(told)]


def detail_of(values: Mapping[str, Any]) -> DetailPass | None:
    """The detail pass that the page asks for; None where its switch is off or no unit has a detector.

    Raises: BadRequest for a value that a knob cannot have.
    """
    if not values.get(DETAIL):
        return None
    on = [unit for unit in detail_units(values.get(DETAIL_UNITS)) if unit["model"] not in (None, "", NONE)]
    units = tuple(DetailUnit(**given(DetailUnit, unit, "")) for unit in on)
    return DetailPass(units, skip_img2img=bool(values.get(SKIP))) if units else None


def detail_values(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """Values by field name of what a text says of details; units that it does not mention have no detector."""
    return values_of_details(DetailPass(units_from(parsed)[0]))


def values_of_details(asked: DetailPass | None) -> dict[str, Any]:
    """Values by field name that ask for `asked`. Without units only the switch is off: fields keep what they say."""
    if asked is None or not asked.units:
        return {DETAIL: False}
    rest = [DetailUnit(model=NONE)] * (UNITS - len(asked.units))
    return {DETAIL: True, DETAIL_UNITS: {"units": [_as_values(unit) for unit in (*asked.units, *rest)]}}


def with_units(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` of a draft or preset, with the fields of detail units that an older page named singly as its units."""
    old: dict[int, dict[str, Any]] = {}
    kept: dict[str, Any] = {}
    for name, value in values.items():
        found = _OLD_NAME.fullmatch(name)
        if found:
            old.setdefault(int(found[1]), {})[found[2]] = value
        else:
            kept[name] = value
    if old and DETAIL_UNITS not in kept:
        kept[DETAIL_UNITS] = {"units": detail_units({"units": [old.get(number, {}) for number in range(max(old) + 1)]})}
    return kept


def _as_values(unit: DetailUnit) -> dict[str, Any]:
    return {name: getattr(unit, name) for name in params_of(DetailUnit)}


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
