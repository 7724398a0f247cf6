"""What a setting's value may be, and how text becomes one."""

from __future__ import annotations

import json
from typing import Any

from modules.settings.setting import Setting
from modules.terms.declare import Number, Slider
from modules.terms.errors import BadRequest

FALSE = {"false", "0", "no", "off", ""}


def accepted(setting: Setting, value: Any) -> Any:
    """`value` as the setting keeps it: of the type of its default, lists as tuples.

    Numbers stay int or float as they were given (infotext shows which); text is read as a number, a truth value or
    a list where the setting holds one. Raises: BadRequest naming the key, the value and what would be right.
    """
    try:
        kept = _cast(setting, value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequest(f"{setting.label} ({setting.key}) cannot be {value!r}: it {_wanted(setting)}.") from error
    wrong = None if kept is None else setting.control.check(kept)
    if isinstance(kept, str) and "\0" in kept:
        wrong = "may hold no NUL character"
    if wrong:
        raise BadRequest(f"{setting.label} ({setting.key}) is {value!r}, but {wrong}.")
    return kept


def _cast(setting: Setting, value: Any) -> Any:
    default = setting.default
    if value is None:
        if default is None:
            return None
        raise ValueError("no value")
    if default is None or isinstance(default, str):
        if not isinstance(value, (str, int, float)):
            raise TypeError("not text")
        return value if isinstance(value, str) else str(value)
    if isinstance(default, bool):
        return _truth(value)
    if isinstance(default, (int, float)):
        return _number(setting, value)
    return _list(value)


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        # "Face restoration: CodeFormer" means yes: any text that is not a no.
        return value.strip().lower() not in FALSE
    if isinstance(value, (bool, int, float)):
        return bool(value)
    raise TypeError("neither true nor false")


def _number(setting: Setting, value: Any) -> int | float:
    if isinstance(value, bool):
        raise TypeError("not a number")
    if isinstance(value, str):
        number = float(value)
        return int(number) if isinstance(setting.default, int) and number.is_integer() else number
    if not isinstance(value, (int, float)):
        raise TypeError("not a number")
    return int(value) if _whole(setting) and float(value).is_integer() else value


def _whole(setting: Setting) -> bool:
    """Whether only whole numbers make sense."""
    control = setting.control
    if isinstance(control, Number):
        return control.integer
    return isinstance(setting.default, int) and isinstance(control, Slider) and float(control.step).is_integer()


def _list(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        text = value.strip()
        parts = [part.strip() for part in text.split(",") if part.strip()]
        value = json.loads(text) if text.startswith("[") else parts
    if not isinstance(value, (list, tuple)):
        raise TypeError("not a list")
    return tuple(value)


def _wanted(setting: Setting) -> str:
    default = setting.default
    if isinstance(default, bool):
        return "must be true or false"
    if isinstance(default, (int, float)):
        return "must be a number"
    return "must be a list" if isinstance(default, tuple) else "must be text"
