"""Requests to JSON and back, faithfully: frozen dataclasses, tuples and pictures come back as they were.

Pictures become files beside the database, named by the sha256 of their content, so that a hundred jobs over one
picture keep it once and rows stay small.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from modules.terms import extras, merging
from modules.terms.captioning import CaptionRequest
from modules.terms.control import ControlUnit
from modules.terms.detail import DetailPass, DetailUnit
from modules.terms.errors import BadRequest, NotFound
from modules.terms.hosted_call import HostedCall
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

SCHEMA = 1
REQUEST_TYPES: tuple[type, ...] = (
    *(GenerationRequest, Source, Mask, Hires, Refiner, ControlUnit, DetailPass, DetailUnit, PictureBatch, HostedCall),
    CaptionRequest,
    *extras.TYPES,
    *merging.TYPES,
)

PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
TIFF_MODES = frozenset({"I", "F", "CMYK", "LAB"})
ORPHAN_AGE_S = 3600.0


class PictureStore:
    """Pictures of requests in one folder, by content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, image: Image.Image) -> str:
        """The name that `open` takes, once the picture is safely on disk.

        PNG keeps every common mode exactly; TIFF the float, 32-bit and print ones; anything else becomes RGBA.
        """
        exact = image if image.mode in PNG_MODES | TIFF_MODES else image.convert("RGBA")
        file_type = "PNG" if exact.mode in PNG_MODES else "TIFF"
        buffer = io.BytesIO()
        exact.save(buffer, file_type, **({"compress_level": 1} if file_type == "PNG" else {}))
        data = buffer.getvalue()
        name = f"{hashlib.sha256(data).hexdigest()}.{file_type.lower()}"
        path = self.folder / name
        try:
            # A fresh time keeps `remove_orphans` away until the row that names the picture is written.
            os.utime(path)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, data)
        return name

    def open(self, name: str) -> Image.Image:
        """The picture, loaded. Raises: NotFound if somebody removed it."""
        try:
            with Image.open(self.folder / Path(name).name) as image:
                image.load()
                return image
        except FileNotFoundError as error:
            raise NotFound(f"A picture of this job ({name}) is no longer in {self.folder}.") from error

    def remove_orphans(self, wanted: Collection[str]) -> None:
        """Forget pictures that no job names. Young ones stay: their job may be about to be written."""
        if not self.folder.is_dir():
            return
        oldest = time.time() - ORPHAN_AGE_S
        for path in self.folder.iterdir():
            if path.name not in wanted and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def write_durably(path: Path, data: bytes) -> None:
    """The file is either all there or not there, whenever the power goes."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{time.monotonic_ns()}.tmp")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


class Codec:
    """Python values <-> JSON values. Objects with one `$…` key stand for what JSON lacks."""

    def __init__(self, pictures: PictureStore, types: Collection[type] = REQUEST_TYPES) -> None:
        self.pictures = pictures
        self._types = {kind.__name__: kind for kind in types}

    def encode(self, value: Any) -> tuple[Any, frozenset[str]]:
        """(JSON value, names of the pictures it refers to). Raises: BadRequest for what cannot be kept."""
        names: set[str] = set()
        return self._encode(value, names), frozenset(names)

    def _encode(self, value: Any, names: set[str]) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, Image.Image):
            name = self.pictures.put(value)
            names.add(name)
            return {"$picture": name}
        if isinstance(value, tuple):
            return {"$tuple": [self._encode(item, names) for item in value]}
        if isinstance(value, list):
            return [self._encode(item, names) for item in value]
        if isinstance(value, Mapping):
            if all(isinstance(key, str) and not key.startswith("$") for key in value):
                return {key: self._encode(item, names) for key, item in value.items()}
            return {"$pairs": [[self._encode(key, names), self._encode(item, names)] for key, item in value.items()]}
        if type(value).__name__ in self._types and dataclasses.is_dataclass(value):
            fields = {
                entry.name: self._encode(getattr(value, entry.name), names) for entry in dataclasses.fields(value)
            }
            return {"$type": type(value).__name__, "fields": fields}
        raise BadRequest(f"A {type(value).__name__} cannot be part of a request: it cannot be kept on disk.")

    def decode(self, value: Any) -> Any:
        """What `encode` was given. Fields that the class no longer has are dropped, new ones get their default."""
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$picture" in value:
            return self.pictures.open(value["$picture"])
        if "$tuple" in value:
            return tuple(self.decode(item) for item in value["$tuple"])
        if "$pairs" in value:
            return {self.decode(key): self.decode(item) for key, item in value["$pairs"]}
        if "$type" in value:
            kind = self._types[value["$type"]]
            known = {entry.name for entry in dataclasses.fields(kind)}
            return kind(**{name: self.decode(item) for name, item in value["fields"].items() if name in known})
        return {key: self.decode(item) for key, item in value.items()}
