"""Translations of the page as A1111 has them: JSON files, English text -> text, of the user and of extensions."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from modules.studio.extensions.folder import Extensions
    from modules.studio.flag_table import Flags

log = logging.getLogger("atelier")
FOLDER = "localizations"


class HasExtensions(Protocol):
    """A studio, for what is needed of it here."""

    @property
    def flags(self) -> Flags: ...

    @property
    def extensions(self) -> Extensions: ...


def localization_folders(studio: HasExtensions) -> list[Path]:
    """Where translations may be: in the extensions that take part, where --localizations-dir says, with the data."""
    named = [extension.path / FOLDER for extension in studio.extensions.active()]
    return [*named, studio.flags.localizations_dir, studio.flags.data_dir / FOLDER]


def localization_files(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """Name -> its files in `folders`; a later file goes before an earlier one."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            if path not in found.setdefault(path.stem, []):
                found[path.stem].append(path)
    return found


def localization(name: str, folders: Iterable[Path]) -> dict[str, Any]:
    """English text -> text; "rtl": True for writing from right to left. A file that cannot be read is left out."""
    merged: dict[str, Any] = {}
    for path in localization_files(folders).get(name, ()):
        try:
            told = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            log.warning("The translation %s cannot be read (%s): correct it, or choose another one.", path, error)
            continue
        if isinstance(told, dict):
            merged.update({key: text for key, text in told.items() if isinstance(text, (str, bool))})
    return merged
