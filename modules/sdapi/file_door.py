"""Which files leave the studio through addresses that name a path: what is shown, never what the studio keeps.

The folder of pictures may be the data folder itself, where settings, logins and databases lie.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from modules.studio.extensions.served import TEMPORARY, TEMPORARY_TYPES, USER_STYLE, is_for_page

# SVG and HTML are not among them: they run scripts of their own.
PICTURES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".avif": "image/avif", ".bmp": "image/bmp",
}  # fmt: skip
# What the page offers to save besides pictures.
OFFERED = frozenset({*PICTURES, ".jxl", ".tif", ".tiff", ".mp4", ".webm", ".zip", ".txt"})
# Gradio's addresses for files, and A1111's.
_FILE_ADDRESS = re.compile(r"(?:/gradio_api)?/file[=/](?P<name>.*)", re.DOTALL)


def path_asked_for(address: str) -> str | None:
    """The path in an address like `/file=<path>`; None if it is another address."""
    found = _FILE_ADDRESS.fullmatch(address)
    return found["name"] if found else None


def may_leave(name: str, data_dir: Path) -> bool:
    """Whether the file `name` may be sent, as far as its ending says: in the data folder only what is shown or offered.

    Files elsewhere are for Gradio to judge, which serves none but those it was told of.
    """
    # A relative name means another file to Gradio, which looks from the working folder, than to scripts of extensions.
    return all(_may_leave(path, data_dir) for path in (Path(name), data_dir / name))


def _may_leave(path: Path, data_dir: Path) -> bool:
    try:
        path, root = path.resolve(), data_dir.resolve()
        kept = path.is_relative_to(root) and not path.is_relative_to(uploads())
    except (OSError, ValueError, RuntimeError):
        return False
    if not kept or path.suffix.lower() in OFFERED:
        return True
    if path.is_relative_to(root / TEMPORARY):
        return path.suffix.lower() in TEMPORARY_TYPES
    # Of extensions, what their part of the page is made of; the route looks whether they are on.
    return path == root / USER_STYLE or is_for_page(path, root / "extensions")


def uploads() -> Path:
    """Where Gradio keeps what was uploaded to the page."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio").resolve()


def picture_inside(name: str, folders: Iterable[Path]) -> Path | None:
    """The picture that `name` means, if it is one and lies, links followed, in one of `folders`; else None."""
    try:
        path = Path(name).resolve()
        inside = any(path.is_relative_to(folder.resolve()) for folder in folders)
        return path if inside and path.suffix.lower() in PICTURES and path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None
