"""Which upscaler files there are. Names and folders alone are looked at, so that a list costs nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from modules.enhance.upscalers.known import BY_STEM

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")
TAKEN = ("none", "lanczos", "nearest", "latent")
# "4x-UltraSharp", "RealESRGAN_x2plus", "1x_DeJPG", "realesr-general-x4v3": a factor beside an x.
_FACTOR = re.compile(r"(?<![0-9])([1-9]|1[0-6])x|x([1-9]|1[0-6])(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class UpscalerFile:
    """An upscaler as lists show it. `scale` is what its name promises; only loading tells for sure."""

    name: str
    path: Path
    scale: float = 4.0
    aliases: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return self.path.parent.name


def find_upscalers(folders: Iterable[Path]) -> tuple[UpscalerFile, ...]:
    """The upscalers in `folders` and below, by name; of equal names, later ones carry their folder's.

    Hidden files and folders are passed over, as are folders that are not there.
    """
    found: dict[str, UpscalerFile] = {}
    seen: set[Path] = set()
    for path in (path for folder in folders for path in _files(folder)):
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        one = described(path)
        if one.name.lower() in found or one.name.lower().startswith(TAKEN):
            one = UpscalerFile(f"{one.name} ({path.parent.name}{path.suffix})", path, one.scale)
        aliases = tuple(alias for alias in one.aliases if alias.lower() not in found)
        found.setdefault(one.name.lower(), UpscalerFile(one.name, path, one.scale, aliases))
    return tuple(sorted(found.values(), key=lambda one: one.name.lower()))


def described(path: Path) -> UpscalerFile:
    """The upscaler that a file is, by its name."""
    stem = path.stem
    known = BY_STEM.get(stem.lower())
    if known is not None:
        return UpscalerFile(known.name, path, known.scale, () if known.name == stem else (stem,))
    return UpscalerFile(stem, path, factor_in(stem) or 4.0)


def factor_in(name: str) -> float | None:
    """The factor that a name like "4x-UltraSharp" or "RealESRGAN_x2plus" speaks of, None if it speaks of none."""
    found = _FACTOR.search(name)
    return float(found[1] or found[2]) if found else None


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names, key=str.lower):
            path = Path(place, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                yield path


class UpscalerFiles:
    """The upscaler files of a studio; `refresh` looks at the folders again."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = tuple(folders)
        self.files: tuple[UpscalerFile, ...] = ()
        self.refresh()

    def refresh(self) -> None:
        self.files = find_upscalers(self.folders)
