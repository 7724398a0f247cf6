"""The files that scripts of extensions may read by `file=`: of their own folders, and the pictures."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from urllib.parse import unquote

from modules.a1111.bound import bound

# No source and nothing that a server keeps to itself.
CODE = (".js", ".mjs", ".cjs", ".map", ".css", ".html", ".htm", ".wasm")
TEXTS = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".yaml", ".yml", ".xml")
MEDIA = (
    ".svg",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".webp",
    ".avif",
    ".bmp",
    ".ico",
    ".mp3",
    ".ogg",
    ".wav",
    ".mp4",
    ".webm",
)
DATA = (".woff", ".woff2", ".ttf", ".otf", ".glb", ".gltf", ".fbx", ".obj", ".bin", ".data", ".task")
TYPES = frozenset((*CODE, *TEXTS, *MEDIA, *DATA))
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".mp4", ".webm", ".txt"})
HARMLESS = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; media-src 'self'"
# What extensions write for their own scripts to read.
TEMPORARY = "tmp"


def found(name: str) -> Path | None:
    """The file of that address, relative to the data folder or to the studio's; None if it may not be read."""
    here = bound()
    wanted = Path(unquote(name).split("?")[0])
    roots = (here.studio.flags.data_dir, here.root)
    for path in [wanted] if wanted.is_absolute() else [root / wanted for root in roots]:
        resolved = path.resolve()
        if resolved.is_file() and _allowed(resolved):
            return resolved
    return None


def headers(path: Path) -> dict[str, str]:
    """What a browser must be told of that file. Pictures never run as the page; an extension's own page may."""
    told = {"X-Content-Type-Options": "nosniff"}
    if not _of_extension(path):
        told["Content-Security-Policy"] = HARMLESS
    if mimetypes.guess_type(path.name)[0] is None:
        told["Content-Type"] = "application/octet-stream"
    return told


def _allowed(path: Path) -> bool:
    if _of_extension(path):
        return path.suffix.lower() in TYPES
    here = bound()
    temporary = [(root / TEMPORARY).resolve() for root in (here.studio.flags.data_dir, here.root)]
    if any(path.is_relative_to(folder) for folder in temporary):
        return path.suffix.lower() in (".txt", ".json", ".csv")
    if path == (here.studio.flags.data_dir / "user.css").resolve():
        return True
    folders = [Path(folder).resolve() for folder in here.studio.outputs.folders(here.settings)]
    return path.suffix.lower() in PICTURES and any(path.is_relative_to(folder) for folder in folders)


def _of_extension(path: Path) -> bool:
    """Whether it lies in the folder of an active extension, and in no hidden part of it."""
    for one in bound().studio.extensions.active():
        folder = one.path.resolve()
        if path.is_relative_to(folder):
            return not any(part.startswith(".") for part in path.relative_to(folder).parts)
    return False
