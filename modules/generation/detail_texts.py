"""Detail units in infotext, in the words of the ADetailer extension, and the prompts of their findings.

The second unit's entries end in " 2nd", the third's in " 3rd", and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from modules.terms.declare import Checkbox, Choice, Number, Param, Slider, params_of
from modules.terms.detail import MAIN_PROMPT, NONE, SEPARATOR, SKIP, DetailUnit

MODEL = "ADetailer model"
# Written with every unit, whatever their values.
ALWAYS = frozenset({"model", "confidence", "dilate", "mask_blur", "denoising_strength", "only_masked", "padding"})
# Field -> the entry that says that it has a value of its own.
SWITCHES = {
    "width": "ADetailer use inpaint width height",
    "height": "ADetailer use inpaint width height",
    "steps": "ADetailer use separate steps",
    "cfg_scale": "ADetailer use separate CFG scale",
    "checkpoint": "ADetailer use separate checkpoint",
    "vae": "ADetailer use separate VAE",
    "sampler": "ADetailer use separate sampler",
    "noise_multiplier": "ADetailer use separate noise multiplier",
    "clip_skip": "ADetailer use separate CLIP skip",
}
OLD_NAMES = {
    "ADetailer mask only top k": "ADetailer mask only top k largest",
    "ADetailer confidence": "ADetailer conf",
    "ADetailer inpaint only masked": "ADetailer inpaint full",
}
SAME = frozenset({"Use same scheduler", "Use same sampler", "Use same checkpoint", "Use same VAE"})
MOST_UNITS = 16


def suffix(number: int) -> str:
    """ "" for the first unit (0), " 2nd" for the next one."""
    if number == 0:
        return ""
    place = number + 1
    ending = "th" if 11 <= place % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f" {place}{ending}"


def entries(units: tuple[DetailUnit, ...]) -> dict[str, Any]:
    """What infotext says of `units`."""
    return {f"{key}{suffix(place)}": value for place, unit in enumerate(units) for key, value in _of_unit(unit)}


def _of_unit(unit: DetailUnit) -> Iterator[tuple[str, Any]]:
    told = set()
    for name, declared in params_of(DetailUnit).items():
        value = getattr(unit, name)
        if name == "padding" and not unit.only_masked:
            continue
        if name == "ranked_by" and not unit.most:
            continue
        if name.startswith("control_") and unit.control_model == NONE:
            continue
        if name not in ALWAYS and value == declared.default:
            continue
        switch = SWITCHES.get(name)
        if switch and switch not in told:
            told.add(switch)
            yield switch, True
        yield declared.infotext, value


def units_from(found: Mapping[str, Any]) -> tuple[tuple[DetailUnit, ...], set[str]]:
    """The units that the entries of an infotext describe, and the keys that tell of them. Never raises.

    Values that a knob cannot have are left out.
    """
    units: list[DetailUnit] = []
    taken = {key for key in found if key.startswith("ADetailer ")}
    for number in range(MOST_UNITS):
        ending = suffix(number)
        if found.get(MODEL + ending) in (None, "", NONE):
            continue
        values = {}
        for name, declared in params_of(DetailUnit).items():
            for key in (declared.infotext, OLD_NAMES.get(declared.infotext)):
                if key and found.get(key + ending) is not None:
                    value = read(declared, found[key + ending])
                    if value is not None and declared.control.check(value) is None:
                        values[name] = value
        units.append(DetailUnit(**values))
    return tuple(units), taken


def read(declared: Param, written: Any) -> Any:
    """`written` as the knob takes it, None where it cannot be read."""
    text = str(written).strip()
    if isinstance(declared.control, Checkbox):
        return text not in ("False", "false", "0", "")
    if isinstance(declared.control, (Slider, Number)):
        try:
            number = float(text)
        except ValueError:
            return None
        return int(number) if is_whole(declared) else number
    if isinstance(declared.control, Choice) and text in SAME:
        return None
    return text


def is_whole(declared: Param) -> bool:
    """Whether a knob's number has no fraction."""
    control = declared.control
    if isinstance(control, Slider):
        return isinstance(declared.default, int) and float(control.step).is_integer()
    return isinstance(control, Number) and control.integer


def prompt_for(own: str, main: str, place: int) -> str | None:
    """The prompt of finding number `place` (0 is the first); None if it is to be left alone."""
    pieces = [piece.strip() for piece in re.split(rf"\s*{re.escape(SEPARATOR)}\s*", own)]
    piece = pieces[min(place, len(pieces) - 1)]
    if piece == SKIP:
        return None
    return piece.replace(MAIN_PROMPT, main) if piece else main
