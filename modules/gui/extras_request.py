"""Values of the Extras tab -> ExtrasRequest. No components here: values are by name, as `Fields` names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modules.gui.canvas import Painted
from modules.gui.folders import check_folders_may_be_named
from modules.gui.given import given
from modules.gui.needs import Studio
from modules.imaging.files import open_image
from modules.imaging.metadata import texts_in
from modules.terms.errors import BadRequest
from modules.terms.extras import (
    BY,
    TO,
    AutoCrop,
    Captioning,
    ExtrasPicture,
    ExtrasRequest,
    FaceRepair,
    FlippedCopies,
    FocalCrop,
    SplitOversized,
    Upscaling,
)

SINGLE, BATCH, FOLDER = "single", "batch", "folder"
RESIZE_TABS = {"by": BY, "to": TO}
# Switch -> the step that it asks for, beside upscaling and faces.
STEPS = {
    "split": SplitOversized,
    "focal_crop": FocalCrop,
    "auto_crop": AutoCrop,
    "flips": FlippedCopies,
    "captions": Captioning,
}


def to_extras_request(studio: Studio, values: Mapping[str, Any]) -> ExtrasRequest:
    """What the tab asks for. Raises: BadRequest, Refused with the sentence for the person."""
    steps = {name: owner(**given(owner, values, f"{name}.")) for name, owner in STEPS.items() if values.get(name)}
    request = ExtrasRequest(**_sources(studio, values), upscaling=_upscaling(values), faces=_faces(values), **steps)
    request.check()
    return request


def _upscaling(values: Mapping[str, Any]) -> Upscaling | None:
    if not values.get("upscaling"):
        return None
    mode = RESIZE_TABS.get(str(values.get("resize_tab") or "by"), BY)
    return Upscaling(**{**given(Upscaling, values, "upscaling."), "mode": mode})


def _faces(values: Mapping[str, Any]) -> FaceRepair | None:
    asked = given(FaceRepair, values, "faces.")
    for name in ("gfpgan", "codeformer"):
        if not values.get(name):
            asked.pop(f"{name}_visibility", None)
    return FaceRepair(**asked) if values.get("gfpgan") or values.get("codeformer") else None


def _sources(studio: Studio, values: Mapping[str, Any]) -> dict[str, Any]:
    mode = values.get("mode") or SINGLE
    if mode == FOLDER:
        return _folders(studio, values)
    if mode == BATCH:
        files: Sequence[str] = values.get("files") or ()
        return {"pictures": tuple(_picture(Path(file)) for file in files)}
    path = Painted.of(values.get("extras")).image
    return {"pictures": (_picture(path),) if path is not None else ()}


def _picture(path: Path) -> ExtrasPicture:
    image = open_image(path, what=path.name)
    return ExtrasPicture(image, path.stem, texts_in(image))


def _folders(studio: Studio, values: Mapping[str, Any]) -> dict[str, Any]:
    """The folders that the tab names. Whoever reaches the page could have any folder of this machine read."""
    check_folders_may_be_named(studio)
    folder = str(values.get("input_folder") or "").strip()
    if not folder:
        raise BadRequest("Name the folder with the pictures first.")
    return {
        "folder": folder,
        "output_folder": str(values.get("output_folder") or "").strip(),
        "show_results": bool(values.get("show_results", True)),
    }
