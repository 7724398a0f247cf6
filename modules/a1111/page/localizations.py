"""Translations of the page that extensions bring along."""

from __future__ import annotations

import json
from pathlib import Path

from modules.a1111.bound import bound


def files_of() -> dict[str, list[Path]]:
    """Name of a localization -> its files in all active extensions."""
    found: dict[str, list[Path]] = {}
    for extension in bound().studio.extensions.active():
        for path in extension.files("localizations", ".json"):
            found.setdefault(path.stem, []).append(path)
    return found


def texts(name: str) -> dict[str, str]:
    """English text -> translation, of one localization; a file that cannot be read is reported and left out."""
    merged: dict[str, str] = {}
    for path in files_of().get(name, ()):
        try:
            merged.update(json.loads(path.read_text(encoding="utf-8-sig")))
        except (OSError, ValueError) as error:
            bound().studio.extensions.failed(bound().studio.extensions.name_of(str(path)), path.name, error)
    return merged
