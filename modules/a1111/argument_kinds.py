"""What a request hands to one of the studio's own scripts, as the kind of value that its components send.

Scripts take it as it comes: text where they count on a number is a traceback to them. Those of extensions may know more
kinds than their components say, so nobody looks at theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from modules.a1111.script_rows import in_english, owner
from modules.terms.errors import BadRequest

NUMBERS = frozenset({"slider", "number"})
CHOICES = frozenset({"dropdown", "radio"})


def fitting(script: Any, values: Sequence[Any]) -> list[Any]:
    """`values` for `script`. Raises: BadRequest naming the first that is of the wrong kind."""
    controls = script.controls or ()
    if owner(script.filename) is not None or len(controls) < len(values):
        return list(values)
    fitted = []
    for place, value in enumerate(values):
        control = controls[place]
        right, wanted = _as_kind(control, value)
        if wanted and value != control.value:
            label = in_english(control.label or "")
            raise BadRequest(
                f"Argument {place + 1} of {script.title()} ({label}) is {str(value)[:80]!r}, but must be {wanted}."
            )
        fitted.append(right)
    return fitted


def _as_kind(control: Any, value: Any) -> tuple[Any, str]:
    """(value as `control` would send it, ""), or (value, what it must be)."""
    kind, many = control.get_block_name(), getattr(control, "multiselect", False)
    if kind == "textbox":
        text = "" if value is None else str(value) if isinstance(value, (int, float)) else value
        return text, "" if isinstance(text, str) else "text"
    if kind == "checkboxgroup" or many:
        # Old payloads have None or "" for an empty list.
        chosen = value or []
        return chosen, "" if isinstance(chosen, (list, tuple, str)) and value != 0 else "a list of its choices"
    if kind in CHOICES:
        return value, "" if isinstance(value, (str, int, float)) else "one of its choices"
    if kind in NUMBERS:
        return value, "" if _is_number(value) else "a number"
    return value, ""


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False
