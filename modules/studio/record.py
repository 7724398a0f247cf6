"""What a job leaves behind, as JSON: enough for every face to show the result long after, without the pictures' pixels.

record["images"] stand in the order in which they are shown (a grid first); each names its file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modules.terms.declare import params_of
from modules.terms.request import GenerationRequest
from modules.terms.result import GeneratedImage, GenerationResult

# Settings that a result is described with, under whatever the request overrode.
DESCRIBING = ("CLIP_stop_at_last_layers", "face_restoration_model", "return_mask", "return_mask_composite")


def record_of(
    result: GenerationResult,
    paths: Sequence[Path],
    *,
    settings: Mapping[str, Any] | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """`result` as JSON. `paths`: the file of each of its images; `settings`: those that held, overrides included.

    Raises: ValueError unless there is one path for each image.
    """
    if len(paths) != len(result.images):
        raise ValueError(f"{len(result.images)} images but {len(paths)} paths.")
    return {
        "images": [_image(image, path) for image, path in zip(result.images, paths, strict=True)],
        "seeds": list(result.seeds),
        "subseeds": list(result.subseeds),
        "notes": list(result.notes),
        "interrupted": result.interrupted,
        "seconds": seconds,
        "request": _plain_fields(result.request),
        "extra": dict(result.extra),
        "model": dict(result.model),
        "settings": {key: (settings or {}).get(key) for key in DESCRIBING},
    }


def _image(image: GeneratedImage, path: Path) -> dict[str, Any]:
    row = {entry.name: getattr(image, entry.name) for entry in dataclasses.fields(image) if entry.name != "image"}
    return {**row, "path": str(path), "width": image.image.width, "height": image.image.height}


def _plain_fields(request: GenerationRequest) -> dict[str, Any]:
    """The knobs of the request by field name; its pictures and scripts stay in the job's own request."""
    return {
        **{name: _json(getattr(request, name)) for name in params_of(GenerationRequest)},
        "hires": dataclasses.asdict(dataclasses.replace(request.hires, picture=None)) if request.hires else None,
        "refiner": dataclasses.asdict(request.refiner) if request.refiner else None,
    }


def _json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
