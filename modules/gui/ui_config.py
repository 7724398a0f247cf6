"""ui-config.json: what the fields of the page begin with, as A1111 keeps it.

Keys are `<tab>/<label>/<what>`, and `customscript/<file>/<tab>/<label>/<what>` for fields of scripts.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from gradio.components import Component

from modules.gui import i18n
from modules.gui.form import Tab
from modules.terms.atomic import replacing

log = logging.getLogger("atelier")

# What may be set of a component -> its attribute.
_PARTS: Final = {"value": "value", "minimum": "minimum", "maximum": "maximum", "step": "step", "visible": "visible"}
_SHOWN: Final = (bool, int, float, str)


class UiConfig:
    """The file and the fields that it is about. Read once: what it says comes into force with the next start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begins: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, dict[str, str]] = {}
        self.overridden: dict[str, frozenset[str]] = {}

    def adopt(self, tab: Tab, scripts: Mapping[str, str] = MappingProxyType({})) -> None:
        """Gives the fields of `tab` what the file says of them, and remembers what they begin with.

        scripts: name of a field of a script -> the name of its file, which is in the field's key; "" for the list of
        scripts itself.
        """
        told = self._read()
        keys: dict[str, str] = {}
        begins: dict[str, Any] = {}
        overridden: set[str] = set()
        own = {name: tab.scripts.components[name] for name in scripts}
        for name, component in {**tab.fields.components, **own}.items():
            place = f"customscript/{scripts[name]}/{tab.name}" if scripts.get(name) else tab.name
            key = _key(place, component)
            if not key or key in keys.values():
                continue
            for part, attribute in _PARTS.items():
                value = told.get(f"{key}/{part}")
                if value is None or not _fits(component, attribute, value):
                    continue
                setattr(component, attribute, value)
                if part == "value":
                    overridden.add(name)
            if isinstance(component.value, _SHOWN):
                keys[name], begins[name] = key, component.value
        self._keys[tab.name], self._begins[tab.name] = keys, begins
        self.overridden[tab.name] = frozenset(overridden)

    def changes(self, tab: str, values: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
        """(key, what the field begins with, what it says) for each field of `tab` that says something else."""
        begins = self._begins.get(tab, {})
        return [
            (self._keys[tab][name], begins[name], value)
            for name, value in values.items()
            if name in begins and isinstance(value, _SHOWN) and value != begins[name]
        ]

    def apply(self, tab: str, values: Mapping[str, Any]) -> int:
        """Writes the changes to the file. Returns: how many."""
        changed = self.changes(tab, values)
        told = {**self._read(), **{f"{key}/value": new for key, _, new in changed}}
        if changed:
            with replacing(self._path) as beside:
                beside.write_text(json.dumps(told, ensure_ascii=False, indent=4), encoding="utf-8")
        return len(changed)

    def _read(self) -> dict[str, Any]:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s): the fields begin as usual.", self._path, error)
            return {}
        return told if isinstance(told, dict) else {}


def _key(place: str, component: Component) -> str:
    """A1111's name of a field: the tab, with a script's file before it, and the English label."""
    label = getattr(component, "label", None)
    text = i18n.texts(i18n.FALLBACK).get(getattr(label, "key", ""), "") if not isinstance(label, str) else label
    return f"{place}/{text}" if text else ""


def _fits(component: Component, attribute: str, value: Any) -> bool:
    """Whether `value` may stand there: a file edited by hand may say anything."""
    if not hasattr(component, attribute):
        return False
    now = getattr(component, attribute)
    if isinstance(now, bool) or isinstance(value, bool):
        return isinstance(now, bool) and isinstance(value, bool)
    if isinstance(now, (int, float)):
        return isinstance(value, (int, float))
    if attribute == "value" and isinstance(value, str):
        choices = getattr(component, "choices", None)
        custom = getattr(component, "allow_custom_value", False)
        return (
            not choices or custom or value in [choice[1] if isinstance(choice, tuple) else choice for choice in choices]
        )
    return isinstance(value, type(now))


def changed_rows(config: UiConfig, drafts: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The changes of all tabs, as the page shows them."""
    for tab, values in drafts.items():
        for key, old, new in config.changes(tab, values):
            yield {"key": key, "old": old, "new": new}
