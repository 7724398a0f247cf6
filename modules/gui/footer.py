"""The line at the foot of the page: where the API is described, how long the start took, and what runs here."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from modules.gui.benchmark import studio_version
from modules.gui.needs import Studio
from modules.gui.widgets import frame
from modules.terms.errors import NotFound


def build() -> None:
    """The frame that static/footer.js fills. "footer" and "versions" are A1111's names, which extensions go by."""
    frame('<div class="versions"></div>', elem_id="footer")


def facts(studio: Studio) -> dict[str, Any]:
    """versions: pairs of name and version; checkpoint: its name and short hash, "" where there is none."""
    shown = {"python": platform.python_version(), **{name: _version(name) for name in ("torch", "xformers", "gradio")}}
    try:
        info = studio.library.find_or_first(str(studio.settings["sd_model_checkpoint"] or ""))[0]
    except NotFound:
        name, shorthash = "", ""
    else:
        name, shorthash = info.name, info.shorthash or ""
    return {
        "versions": [["Atelier", studio_version(studio)], *([name, said] for name, said in shown.items() if said)],
        "checkpoint": {"name": name, "hash": shorthash},
    }


def _version(package: str) -> str:
    """Of an installed package, without importing it; "" for others."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
