"""How a knob is declared: once, with its label, bounds, API name and infotext name.

A dataclass field made by `param(...)` carries a `Param`; the page builds its component from it, the API its schema,
infotext its writer and parser. A knob is one line.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Beyond the bounds of a slider, but of no use: what is computed with it is no number in the end.
FAR = 1e6


@dataclass(frozen=True)
class Control:
    """How a value is shown and what it may be."""

    def check(self, value: object) -> str | None:
        """None if `value` is allowed, else the end of a sentence: 'must be between 1 and 150'."""
        return None


@dataclass(frozen=True)
class Text(Control):
    lines: int = 1
    placeholder: str = ""

    def check(self, value: object) -> str | None:
        return None if isinstance(value, str) else "must be text"


@dataclass(frozen=True)
class Checkbox(Control):
    def check(self, value: object) -> str | None:
        return None if isinstance(value, bool) else "must be true or false"


@dataclass(frozen=True)
class Number(Control):
    """A number without a slider. `integer` numbers have no fraction; None bounds are open."""

    minimum: float | None = None
    maximum: float | None = None
    integer: bool = False

    def check(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) == math.inf:
            return "must be a number"
        if self.integer and value != int(value):
            return "must be a whole number"
        if self.minimum is not None and value < self.minimum:
            return f"must be at least {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"must be at most {self.maximum:g}"
        return None


@dataclass(frozen=True)
class Slider(Control):
    """Bounds of the slider on the page. The API may go beyond them, as in A1111, up to FAR, unless `strict`."""

    minimum: float
    maximum: float
    step: float = 1.0
    strict: bool = False

    def check(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            return "must be a number"
        if self.strict and not self.minimum <= value <= self.maximum:
            return f"must be between {self.minimum:g} and {self.maximum:g}"
        far = max(FAR, self.maximum)
        if abs(value) > far:
            return f"must be at most {far:.0f}" if value > 0 else f"must be at least {-far:.0f}"
        return None


@dataclass(frozen=True)
class Choice(Control):
    """One of `choices`, or of a list that only the studio knows (`listing`: "samplers", "checkpoints", …).

    `many` makes the value a tuple of choices; `radio` shows them all at once.
    """

    choices: tuple[str | int | float, ...] = ()
    listing: str = ""
    many: bool = False
    radio: bool = False

    def check(self, value: object) -> str | None:
        if self.listing:
            return None
        picked = value if self.many and isinstance(value, (list, tuple)) else (value,)
        wrong = [one for one in picked if one not in self.choices]
        return f"must be one of {', '.join(map(str, self.choices))}" if wrong else None


@dataclass(frozen=True)
class Colour(Control):
    """`#rrggbb`."""


@dataclass(frozen=True)
class Param:
    """One knob. `key` is its name in JSON, `infotext` its name in the text inside pictures (empty: not written)."""

    name: str
    label: str
    control: Control
    default: Any
    key: str
    infotext: str = ""
    help: str = ""


def param(default: Any, label: str, control: Control, *, key: str = "", infotext: str = "", help: str = "") -> Any:
    """A dataclass field that knows its label, control, API name (`key`, default: the field's) and infotext name."""
    return dataclasses.field(
        default=default,
        metadata={"label": label, "control": control, "key": key, "infotext": infotext, "help": help},
    )


def params_of(owner: type) -> Mapping[str, Param]:
    """Field name -> Param, for every field of the dataclass `owner` that was made by `param`, in order."""
    return {
        field.name: Param(
            name=field.name,
            label=field.metadata["label"],
            control=field.metadata["control"],
            default=field.default,
            key=field.metadata["key"] or field.name,
            infotext=field.metadata["infotext"],
            help=field.metadata["help"],
        )
        for field in dataclasses.fields(owner)
        if "control" in field.metadata
    }
