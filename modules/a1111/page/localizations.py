"""Translations of the page, the user's and those that extensions bring along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules.a1111.bound import bound
from modules.studio.localizations import localization, localization_files, localization_folders


def files_of() -> dict[str, list[Path]]:
    """Name of a localization -> its files."""
    return localization_files(localization_folders(bound().studio))


def texts(name: str) -> dict[str, Any]:
    """English text -> translation, of one localization."""
    return localization(name, localization_folders(bound().studio))
