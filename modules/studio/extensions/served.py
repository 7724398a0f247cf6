"""The files that scripts of extensions in the browser may read: of their own folders, no source and nothing hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from modules.studio.extensions.folder import Extensions

# What a page is made of, and the data that scripts fetch.
TYPES: Final = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".cjs": "text/javascript", ".map": "application/json",
    ".css": "text/css", ".html": "text/html", ".htm": "text/html", ".wasm": "application/wasm",
    ".json": "application/json", ".jsonl": "text/plain", ".csv": "text/csv", ".tsv": "text/plain",
    ".txt": "text/plain", ".md": "text/plain", ".yaml": "text/plain", ".yml": "text/plain", ".xml": "application/xml",
    ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".webp": "image/webp", ".avif": "image/avif", ".bmp": "image/bmp", ".ico": "image/x-icon",
    ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".wav": "audio/wav", ".mp4": "video/mp4", ".webm": "video/webm",
    ".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
    ".glb": "model/gltf-binary", ".gltf": "model/gltf+json", ".fbx": "application/octet-stream",
    ".obj": "text/plain", ".bin": "application/octet-stream", ".data": "application/octet-stream",
    ".task": "application/octet-stream",
}  # fmt: skip
# Extensions write there what their scripts shall read.
TEMPORARY: Final = "tmp"
TEMPORARY_TYPES: Final = frozenset({".txt", ".json", ".csv"})
USER_STYLE: Final = "user.css"


def served(name: str, extensions: Extensions, roots: Sequence[Path]) -> Path | None:
    """The file that the address `/file=<name>` means for a script; None if it is no such. A relative one is looked for
    in each of `roots`, the folder of data and that of the studio.

    A file of an extension that is on, of `tmp/` in a root, or the user's own style sheet.
    """
    wanted = Path(unquote(name).split("?")[0])
    for root in roots:
        try:
            path = (root / wanted).resolve()
            if path.is_file() and _is_served(path, extensions, roots):
                return path
        except (OSError, ValueError, RuntimeError):
            return None
    return None


def _is_served(path: Path, extensions: Extensions, roots: Sequence[Path]) -> bool:
    for root in (one.resolve() for one in roots):
        if path == root / USER_STYLE:
            return True
        if path.is_relative_to(root / TEMPORARY) and path.suffix.lower() in TEMPORARY_TYPES:
            return True
    return any(is_for_page(path, one.path.resolve()) for one in extensions.active())


def is_for_page(path: Path, folder: Path) -> bool:
    """Whether the resolved `path` lies in `folder`, is not hidden, and of a kind that pages are made of."""
    if not path.is_relative_to(folder) or path.suffix.lower() not in TYPES:
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)
