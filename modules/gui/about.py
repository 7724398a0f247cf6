"""What the last pages of the Settings tab show: the machine, and what it is made of."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from modules.gui import i18n
from modules.gui.benchmark import machine_facts, studio_version
from modules.gui.needs import Studio

ROOT: Final = Path(__file__).resolve().parents[2]
# Chosen for the machine by the start script, so that no list of requirements names them.
_FOUND_BY_THE_STARTER: Final = ("torch", "torchvision")
_GIB: Final = 1 << 30
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def facts(studio: Studio) -> list[list[str]]:
    """(what, how much) of the machine and the program, for a table."""
    machine = machine_facts(studio)
    disk = shutil.disk_usage(studio.flags.data_dir)
    return [
        ["Atelier", studio_version(studio)],
        *([name, value] for name, value in machine.items()),
        ["Data", str(studio.flags.data_dir) if not studio.flags.hide_ui_dir_config else ""],
        ["Free disk", f"{disk.free / _GIB:.1f} GiB"],
        ["Checkpoints", str(len(studio.listing("checkpoints")))],
    ]


def english(studio: Studio) -> dict[str, str]:
    """Every English text of the page, each by itself: what a translation for A1111 begins as."""
    said = set(i18n.texts(i18n.FALLBACK).values())
    for section, settings in studio.settings.catalogue.sections().items():
        said |= {section.label, *i18n.section_text(section, i18n.FALLBACK)}
        said |= {text for setting in settings for text in i18n.setting_text(setting, i18n.FALLBACK)}
    return {text: text for text in sorted(said) if text and "{" not in text}


def credits() -> list[dict[str, str]]:
    """The installed packages that the requirements name: name, version, license, home."""
    return [_credit(name) for name in sorted({*_required(), *_FOUND_BY_THE_STARTER}, key=str.lower) if _installed(name)]


def _required() -> Iterator[str]:
    for path in sorted(ROOT.glob("requirements*.txt")):
        if path.stem.endswith("test"):
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            found = _NAME.match(line.strip())
            if found:
                yield found[0]


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _credit(name: str) -> dict[str, str]:
    told: Any = metadata.metadata(name)  # an email.message.Message, which its type does not say
    licence = told.get("License-Expression") or ""
    if not licence:
        classified = [
            line.rpartition("::")[2].strip() for line in told.get_all("Classifier") or () if "License ::" in line
        ]
        licence = ", ".join(classified) or (told.get("License") or "").strip().partition("\n")[0][:60]
    return {"name": name, "version": metadata.version(name), "license": licence, "home": _home(told)}


def _home(told: Any) -> str:
    urls = [line.partition(",")[2].strip() for line in told.get_all("Project-URL") or ()]
    return next((url for url in (told.get("Home-page"), *urls) if url and str(url).startswith("https://")), "") or ""
