"""Declarations of terms/ -> pydantic models: a knob that is declared there stands in the schema, with its bounds."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import Field, create_model

from modules.sdapi.schemas import Body
from modules.terms.declare import Choice, Control, Number, Param, Slider, params_of

# The names of types that knobs have.
TYPES: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "tuple[str, ...]": list[str]}


class StrictBody(Body):
    """What is not known is refused: a misspelt name would be passed over in silence."""

    model_config = {**Body.model_config, "extra": "forbid"}


def body_of(owner: type, name: str, base: type[Body] = StrictBody, *, without: frozenset[str] = frozenset()) -> Any:
    """A model with the knobs of the dataclass `owner` under their field names, on top of the fields of `base`."""
    types = {field.name: str(field.type) for field in owner.__dataclass_fields__.values()}  # type: ignore[attr-defined]
    fields: dict[str, Any] = {
        knob.name: (_type(types[knob.name], knob.control), _field(knob))
        for knob in params_of(owner).values()
        if knob.name not in without
    }
    return create_model(name, __base__=base, __doc__=owner.__doc__ if base is StrictBody else base.__doc__, **fields)


def values_of(body: Body, owner: type) -> dict[str, Any]:
    """The knobs of `body` as the dataclass `owner` takes them: lists as tuples."""
    known = params_of(owner)
    found = {name: getattr(body, name) for name in known if name in type(body).model_fields}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def _type(written: str, control: Control) -> Any:
    plain, _, rest = written.partition(" | ")
    kind: Any = TYPES[plain]
    if isinstance(control, Choice) and control.choices:
        one: Any = cast(Any, Literal)[control.choices]
        kind = list[one] if control.many else one
    return kind | None if rest == "None" else kind


def _field(knob: Param) -> Any:
    said = ". ".join(part.rstrip(".") for part in (knob.label, knob.help) if part)
    control = knob.control
    more: dict[str, Any] = {}
    if isinstance(control, Slider):
        slider = {"minimum": control.minimum, "maximum": control.maximum, "step": control.step}
        more["json_schema_extra"] = {"x-slider": slider}
    elif isinstance(control, Choice) and control.listing:
        more["json_schema_extra"] = {"x-list": control.listing}
    if isinstance(control, Number) or (isinstance(control, Slider) and control.strict):
        more |= {"ge": control.minimum, "le": control.maximum}
    default = list(knob.default) if isinstance(knob.default, tuple) else knob.default
    return Field(default, description=f"{said}.", **more)
