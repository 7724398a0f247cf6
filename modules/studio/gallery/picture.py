"""One picture as the index knows it, and how a file becomes one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from modules.generation.infotext import parse
from modules.imaging.metadata import read_metadata

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif"})
LORA = re.compile(r"<(?:lora|lyco):([^:>]+)")


@dataclass(frozen=True)
class Picture:
    """What the index keeps of a file. `made`: when it was written, in seconds since 1970; `stamp`: its modification
    time in ns and its size, by which a changed file is told. `text`: its infotext, "" without one."""

    path: Path
    made: float
    stamp: tuple[int, int]
    width: int = 0
    height: int = 0
    text: str = ""
    prompt: str = ""
    negative: str = ""
    model: str = ""
    model_hash: str = ""
    sampler: str = ""
    loras: tuple[str, ...] = ()
    seed: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None


def read_picture(path: Path, stamp: tuple[int, int]) -> Picture:
    """The picture in a file, by its header; a file that cannot be read counts as one without text."""
    made = stamp[0] / 1e9
    try:
        # Opened, not loaded: the pixels of fifty thousand pictures would take an hour.
        with Image.open(path) as image:
            metadata = read_metadata(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return Picture(path, made, stamp)
    width, height = metadata.size
    return described(Picture(path, made, stamp, width, height), metadata.text or "")


def described(picture: Picture, text: str) -> Picture:
    """`picture` with what its infotext says."""
    if not text:
        return picture
    entries = parse(text)
    prompt = str(entries.get("Prompt") or "")
    return Picture(
        path=picture.path,
        made=picture.made,
        stamp=picture.stamp,
        width=picture.width,
        height=picture.height,
        text=text,
        prompt=prompt,
        negative=str(entries.get("Negative prompt") or ""),
        model=str(entries.get("Model") or ""),
        model_hash=str(entries.get("Model hash") or ""),
        sampler=str(entries.get("Sampler") or ""),
        loras=tuple(dict.fromkeys([*LORA.findall(prompt), *_hashed_loras(entries)])),
        seed=_number(entries.get("Seed"), int),
        steps=_number(entries.get("Steps"), int),
        cfg_scale=_number(entries.get("CFG scale"), float),
    )


def _hashed_loras(entries: Mapping[str, Any]) -> list[str]:
    """The names in "Lora hashes": "name: hash, name: hash"."""
    text = str(entries.get("Lora hashes") or "")
    return [name.strip() for one in text.split(",") for name, colon, _ in [one.partition(":")] if colon]


def _number(value: Any, kind: type) -> Any:
    try:
        return None if value is None else kind(value)
    except (TypeError, ValueError, OverflowError):
        return None
