"""What a script has drawn in a job, kept until the job is whole: after a kill or an interruption it is not drawn again.

A folder for each job; in it, for every `process_images`, one JSON file and the pictures, named by what was asked.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from modules.terms.atomic import replacing
from modules.terms.request import GenerationRequest
from modules.terms.result import GeneratedImage, GenerationResult

# Of jobs that were interrupted, for when somebody asks the same again.
MOST_FOLDERS = 4


class Kept:
    """The drawn parts of one job. `root` holds the folders of all jobs."""

    def __init__(self, root: Path, job_id: str) -> None:
        self.root = root
        self.folder = root / job_id
        self._asked: Counter[str] = Counter()

    def name_of(self, request: GenerationRequest, more: Any) -> str:
        """The name of the next part that asks for `request`; `more`: whatever else its pictures follow from.

        The same may be asked several times: each time is a part of its own.
        """
        asked = digest((request, more))
        self._asked[asked] += 1
        return f"{asked}-{self._asked[asked]}"

    def find(self, name: str, request: GenerationRequest) -> GenerationResult | None:
        """The part of that name, drawn by this job or, unless its seed was left to chance, by another."""
        folders = [self.folder]
        if request.seed >= 0 and self.root.is_dir():
            folders += [folder for folder in self.root.iterdir() if folder != self.folder]
        for folder in folders:
            try:
                return _read(folder, name, request)
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return None

    def add(self, name: str, result: GenerationResult) -> None:
        """Keeps a part, if it is whole and can be written down. Raises: OSError."""
        if result.interrupted or not all(image.complete for image in result.images):
            return
        record = {
            "seeds": result.seeds,
            "subseeds": result.subseeds,
            "notes": result.notes,
            "model": dict(result.model),
            "extra": dict(result.extra),
            "checkpoint": result.request.checkpoint,
            "images": [_fields(image) for image in result.images],
        }
        try:
            text = json.dumps(record)
        except (TypeError, ValueError):
            # An extension put something of its own among the entries: this part would be drawn again.
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for place, image in enumerate(result.images):
            with replacing(self.folder / f"{name}.{place}.png") as draft:
                image.image.save(draft, "PNG", compress_level=1)
        # Comes last: it says that the pictures are there.
        with replacing(self.folder / f"{name}.json") as draft:
            draft.write_text(text, encoding="utf-8")

    def finish(self, interrupted: bool) -> None:
        """The job is over: what it kept goes, unless it was interrupted; of those, the oldest go."""
        if not interrupted:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.root.is_dir():
            folders = sorted(self.root.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
            for folder in folders[MOST_FOLDERS:]:
                shutil.rmtree(folder, ignore_errors=True)


def _fields(image: GeneratedImage) -> dict[str, Any]:
    return {field.name: getattr(image, field.name) for field in dataclasses.fields(image) if field.name != "image"}


def _read(folder: Path, name: str, request: GenerationRequest) -> GenerationResult:
    """Raises: OSError, ValueError, KeyError, TypeError if it is not there, or not whole."""
    record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    images = []
    for place, fields in enumerate(record["images"]):
        with Image.open(folder / f"{name}.{place}.png") as picture:
            images.append(GeneratedImage(image=picture.copy(), **fields))
        images[-1].image.info.clear()
    seeds, subseeds = tuple(record["seeds"]), tuple(record["subseeds"])
    return GenerationResult(
        request=request.with_(seed=seeds[0], subseed=subseeds[0], checkpoint=record["checkpoint"]),
        images=tuple(images),
        seeds=seeds,
        subseeds=subseeds,
        notes=tuple(record["notes"]),
        extra=record["extra"],
        model=record["model"],
    )


def digest(value: Any) -> str:
    """Tells values apart by what they hold: pictures by their pixels, objects by their fields."""
    hashed = hashlib.sha256()
    _feed(hashed, value)
    return hashed.hexdigest()[:32]


def _feed(hashed: Any, value: Any) -> None:
    hashed.update(type(value).__name__.encode())
    if isinstance(value, Image.Image):
        hashed.update(f"{value.mode}{value.size}".encode() + value.tobytes())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            hashed.update(field.name.encode())
            _feed(hashed, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            hashed.update(f"{key}:".encode())
            _feed(hashed, value[key])
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for one in value:
            _feed(hashed, one)
    elif value is None or isinstance(value, (bool, int, float, str, bytes)):
        hashed.update(repr(value).encode() + b";")
    elif type(value).__module__ == "numpy":
        hashed.update(value.tobytes())
