"""Whose code asks: an extension's or the studio's."""

from __future__ import annotations

import functools
import logging
import os
import sys
from pathlib import Path

from modules.a1111.bound import bound

log = logging.getLogger("atelier.extensions")
# Between the code that asks and us.
_BETWEEN = (f"{os.sep}gradio{os.sep}", f"{os.sep}gradio3{os.sep}", f"{os.sep}a1111{os.sep}page{os.sep}components.py")
_FACADES = f"{os.sep}a1111{os.sep}facades{os.sep}"


def asked_by_extension() -> bool:
    """Whether the nearest code outside of Gradio is an extension's. Facades ask for whoever called them."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not any(part in name for part in (*_BETWEEN, _FACADES)) and not name.startswith("<"):
            return is_of_extension(name)
        frame = frame.f_back  # type: ignore[assignment]
    return False


def is_of_extension(filename: str) -> bool:
    """Whether the file lies in the folder of extensions."""
    return filename.startswith(_folders())


def _folders() -> tuple[str, ...]:
    folder = bound().studio.extensions.folder
    return _with_ends(folder)


@functools.lru_cache(maxsize=8)
def _with_ends(folder: Path) -> tuple[str, ...]:
    return (f"{folder}{os.sep}", f"{folder.resolve()}{os.sep}")


@functools.cache
def note(idiom: str) -> None:
    """Says once that an old idiom was met; `--loglevel debug` shows it."""
    log.debug("An extension uses %s of Gradio 3.", idiom)
