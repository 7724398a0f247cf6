"""Declared knobs as JSON, from which the page's own scripts draw their fields (static/inputs.js)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modules.gui.i18n import param_key
from modules.gui.widgets import Listing
from modules.terms.declare import Checkbox, Choice, Colour, Control, Number, Slider, Text, params_of


def described_field(
    owner: type, name: str, listing: Listing, texts: Mapping[str, str], first: tuple[Any, str] | None = None
) -> dict[str, Any]:
    """Field `name` of `owner`: key, label and help in the words of `texts`, control.

    first: value and text of a choice that stands before those of the studio.
    """
    param = params_of(owner)[name]
    control = dict(described_control(param.control, listing, texts))
    if first:
        control["choices"] = [list(first), *(one for one in control["choices"] if one[0] != first[0])]
    if param.default is None:
        control["optional"] = True
    key = param_key(owner, name)
    return {"key": param.key, "label": texts[key], "help": texts.get(f"{key}.help", ""), "control": control}


def described_control(control: Control, listing: Listing, texts: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """What kind of field it is and what it may hold; choices as pairs of value and text."""
    if isinstance(control, Slider):
        yield from {"type": "slider", "min": control.minimum, "max": control.maximum, "step": control.step}.items()
    elif isinstance(control, Number):
        yield from {"type": "number", "min": control.minimum, "max": control.maximum}.items()
        yield "step", 1 if control.integer else "any"
    elif isinstance(control, Checkbox):
        yield "type", "checkbox"
    elif isinstance(control, Colour):
        yield "type", "colour"
    elif isinstance(control, Choice):
        offered: Sequence[Any] = control.choices or listing(control.listing)
        yield "type", "many" if control.many else "radio" if control.radio else "choice"
        yield "choices", [[value, texts.get(f"choice.{value}", str(value))] for value in offered]
    else:
        yield from {"type": "text", "lines": control.lines if isinstance(control, Text) else 1}.items()


def plain(value: Any) -> Any:
    """`value` as JSON has it."""
    return list(value) if isinstance(value, tuple) else value
