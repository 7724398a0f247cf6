"""What the fields of one part say, as the part takes it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import Any

from modules.terms.declare import Number, Param, Slider, params_of
from modules.terms.errors import BadRequest


def given(owner: type, values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Field -> value of `owner`, for what the page has and the user filled in."""
    params = params_of(owner)
    return {
        name: _typed(params[name], values[prefix + name])
        for name in params
        if values.get(prefix + name) is not None and values[prefix + name] != ""
    }


def _typed(param: Param, value: Any) -> Any:
    """`value` as the field wants it: whole numbers without a fraction, lists as tuples."""
    control = param.control
    if isinstance(control, Number) and isinstance(value, str):
        value = _number(param, value)
    if isinstance(value, list):
        return tuple(value)
    whole = (isinstance(control, Number) and control.integer) or (
        isinstance(control, Slider) and isinstance(param.default, int) and control.step == int(control.step)
    )
    return int(value) if whole and isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _number(param: Param, text: str) -> float:
    """The number in a field that may be empty. Raises: BadRequest for other words."""
    try:
        number = float(text)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise BadRequest(f"{param.label}: {text!r} is not a number. Leave the field empty or write one.")
    return number
