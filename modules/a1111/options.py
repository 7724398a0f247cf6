"""`shared.opts`: the studio's settings as attributes. In a job, what an extension changes holds for that job alone."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from modules.a1111.bound import bound
from modules.settings.setting import CATEGORIES, Category, Section, Setting, natural_control
from modules.terms.declare import Choice, Control, Number, Slider
from modules.terms.errors import WebuiError


def as_section(info: Any) -> Section:
    """The page of the Settings tab that an option wants to stand on."""
    identifier, label = info.section if info.section else ("extensions", "Extensions")
    if identifier is None:
        return Section("", "")
    category = _category(info.category_id) if info.category_id else None
    return Section(str(identifier), str(label), category)


def _category(identifier: str) -> Category:
    """The studio's heading of that name, or one that an extension has registered."""
    from modules.options import categories

    own = next((one for one in CATEGORIES if one.id == identifier), None)
    registered = categories.mapping.get(identifier)
    return own or Category(identifier, registered.label if registered else identifier)


def as_setting(key: str, info: Any) -> Setting:
    """The studio's declaration of an extension's option."""
    default = tuple(info.default) if isinstance(info.default, list) else info.default
    if not isinstance(default, (bool, int, float, str, tuple, type(None))):
        default = json.dumps(default)
    comment = re.sub(r"<[^>]+>", "", f"{info.comment_after or ''}").strip().strip("()")
    return Setting(
        key=key,
        label=str(info.label or key),
        default=default,
        control=control_of(info, default),
        help=comment,
        section=as_section(info),
        infotext=info.infotext or "",
        reload="eload UI" in comment or "restart" in comment,
        api_restricted=bool(info.restrict_api),
    )


def control_of(info: Any, default: Any) -> Control:
    """The control that an option's component stands for."""
    given = info.component_args
    try:
        args = given() if callable(given) else dict(given or {})
    except Exception as error:  # noqa: BLE001 - code of others
        bound().studio.extensions.failed("base", f"the choices of {info.label}", error)
        args = {}
    name = getattr(info.component, "__name__", "")
    choices = args.get("choices")
    choices = choices() if callable(choices) else choices
    if name == "Slider" and isinstance(default, (int, float)):
        low, high = args.get("minimum", 0), args.get("maximum", 100)
        return Slider(low, high, args.get("step") or (1 if isinstance(default, int) else 0.01))
    if choices is not None and name in ("Dropdown", "DropdownMulti", "DropdownEditable", "Radio", "CheckboxGroup"):
        values = tuple(one[1] if isinstance(one, (list, tuple)) else one for one in choices)
        many = isinstance(default, tuple)
        fits = all(one in values for one in (default if many else (default,)))
        return Choice(values, many=many, radio=name == "Radio") if fits else natural_control(default)
    if isinstance(default, float) and name == "Number":
        return Number()
    return natural_control(default)


class OptionsProxy:
    """Reads and writes settings by attribute."""

    def __init__(self) -> None:
        own: dict[str, Any] = {"data_labels": {}, "_watchers": {}, "_values": {}}
        self.__dict__.update(own)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        if key in self.__dict__["_values"]:
            return self.__dict__["_values"][key]
        try:
            value = bound().settings[key]
        except KeyError:
            info = self.data_labels.get(key)
            if info is None:
                raise AttributeError(f"There is no setting called {key!r}.") from None
            return info.default
        return list(value) if isinstance(value, tuple) else value

    def __setattr__(self, key: str, value: Any) -> None:
        work = bound().work
        if key not in bound().studio.settings.catalogue:
            self.__dict__["_values"][key] = value
        elif work is not None:
            work.overrides[key] = bound().settings.with_flat({key: value})[key]
        else:
            bound().studio.set_options({key: value})

    def __delattr__(self, key: str) -> None:
        work = bound().work
        if work is not None:
            work.overrides.pop(key, None)
        self.__dict__["_values"].pop(key, None)

    def set(self, key: str, value: Any, is_api: bool = False, run_callbacks: bool = True) -> bool:
        """Changes a setting for good; whether it is another than before. A refused value changes nothing."""
        try:
            changed = bool(bound().studio.set_options({key: value}, from_api=is_api))
        except WebuiError:
            return False
        if changed and run_callbacks:
            self.told(key)
        return changed

    def told(self, key: str) -> None:
        """Calls who wants to know that a setting has changed."""
        info = self.data_labels.get(key)
        functions = [*self.__dict__["_watchers"].get(key, ())]
        if info is not None and info.onchange is not None:
            functions.insert(0, info.onchange)
        for function in functions:
            try:
                function()
            except Exception as error:  # noqa: BLE001 - code of others
                bound().studio.extensions.failed("base", f"what follows the setting {key}", error)

    def get_default(self, key: str) -> Any:
        catalogue = bound().studio.settings.catalogue
        return catalogue[key].default if key in catalogue else None

    def add_option(self, key: str, info: Any) -> None:
        """Declares a setting of an extension."""
        self.data_labels[key] = info
        if not info.do_not_save:
            bound().studio.add_settings([as_setting(key, info)])

    def onchange(self, key: str, func: Callable[[], Any], call: bool = True) -> None:
        self.__dict__["_watchers"].setdefault(key, []).append(func)
        if call:
            func()

    def cast_value(self, key: str, value: Any) -> Any:
        return bound().settings.with_flat({key: value})[key]

    def save(self, filename: str = "") -> None:
        """Settings are saved whenever they change; what was changed in a job is not theirs to keep."""

    def load(self, filename: str) -> None:
        """The studio has read its settings."""

    def same_type(self, first: Any, second: Any) -> bool:
        return type(first) is type(second)

    def dumpjson(self) -> str:
        return json.dumps(bound().settings.as_json())

    def reorder(self) -> None:
        """The catalogue is kept in order."""

    @property
    def data(self) -> Data:
        return Data()

    @property
    def typemap(self) -> dict[type, type]:
        return {int: float}


class Data(MutableMapping[str, Any]):
    """`opts.data`: every value by key; writing changes the setting."""

    def __getitem__(self, key: str) -> Any:
        value = bound().settings[key]
        return list(value) if isinstance(value, tuple) else value

    def __setitem__(self, key: str, value: Any) -> None:
        from modules import shared

        # Extensions put whole copies back; what is as it was is no change.
        if key not in bound().settings or self[key] != value:
            setattr(shared.opts, key, value)

    def clear(self) -> None:
        """In a job: what was changed for it is changed no more. Settings themselves cannot be taken away."""
        work = bound().work
        if work is not None:
            work.overrides.clear()

    def copy(self) -> dict[str, Any]:
        """Every value as it stands."""
        settings = bound().settings
        return {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}

    def __delitem__(self, key: str) -> None:
        work = bound().work
        if work is not None:
            work.overrides.pop(key, None)

    def __iter__(self) -> Iterator[str]:
        return iter(bound().settings)

    def __len__(self) -> int:
        return len(bound().settings)


@contextlib.contextmanager
def unchanged() -> Iterator[None]:
    """Within a job: what is changed holds until the end of the block."""
    work = bound().work
    before = dict(work.overrides) if work else {}
    try:
        yield
    finally:
        if work:
            work.overrides = before
