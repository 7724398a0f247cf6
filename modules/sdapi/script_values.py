"""The arguments of a selectable script, by place as in A1111, or by the labels that /sdapi/v1/script-info lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modules.terms.errors import BadRequest
from modules.terms.registry import nearest


def script_values(
    given: Sequence[Any] | Mapping[str, Any], title: str, fields: Sequence[Mapping[str, Any]]
) -> tuple[Any, ...]:
    """`given` by place. fields: the script's arguments with label and the value that each begins with.

    Of two fields with one label, a list goes to the one that holds lists. Fields that are not named keep what they
    begin with. Raises: BadRequest naming the nearest label.
    """
    if not isinstance(given, Mapping):
        return tuple(given)
    values = [field.get("value") for field in fields]
    for name, value in given.items():
        places = [place for place, field in enumerate(fields) if str(field.get("label")).lower() == name.lower()]
        if not places:
            labels = list(dict.fromkeys(str(field["label"]) for field in fields if field.get("label")))
            close = nearest(name, labels)
            hint = f"Did you mean {close!r}?" if close else f"There are: {', '.join(labels) or 'none'}."
            raise BadRequest(f"script_args: {title} has no field {name!r}. {hint}")
        fitting = [place for place in places if isinstance(values[place], list) == isinstance(value, list)]
        values[(fitting or places)[0]] = value
    return tuple(values)
