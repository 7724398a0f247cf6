"""Which detectors there are, and which of them a name means. No OpenCV, no torch here: lists are made of this."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from modules.terms.detail import FACE
from modules.terms.errors import NotFound

PERSON = "person"
OWN = (FACE, PERSON)
FOLDER = "models/adetailer"
EXAMPLE = "https://huggingface.co/PekingU/rtdetr_r18vd"
YUNET = "face_detection_yunet_2023mar.onnx from OpenCV's model zoo into models/GFPGAN"


def folders_in(roots: Iterable[Path]) -> dict[str, Path]:
    """Name -> the folder of every model in `roots`; the first one wins."""
    found: dict[str, Path] = {}
    for root in roots:
        for config in sorted(root.glob("*/config.json")):
            found.setdefault(config.parent.name, config.parent)
    return found


def names_in(roots: Iterable[Path]) -> list[str]:
    """Every detector that can be asked for: those that come with OpenCV, then the folders."""
    return [*OWN, *folders_in(roots)]


def folder_called(name: str, roots: Iterable[Path]) -> Path | None:
    """The folder that `name` means, whatever the case; None if it is not there."""
    wanted = name.strip().lower()
    return next((path for found, path in folders_in(roots).items() if found.lower() == wanted), None)


def own_instead(name: str) -> tuple[str, str]:
    """The one of OWN that stands in for a detector whose file is not here, and the sentence that says so.

    Raises: NotFound saying which file is missing and where it goes, if none of them finds the same things.
    """
    lower = name.strip().lower()
    if lower in OWN:
        return lower, ""
    for own in OWN:
        if own in lower:
            more = f" It sees faces from the front; for more put {YUNET}." if own == FACE else ""
            return own, f"The detector {name} is not here, so OpenCV's own looked for a {own}.{more}"
    known = " and ".join(repr(own) for own in OWN)
    raise NotFound(
        f"There is no detector called {name!r}. Those that come with OpenCV are {known}; for other things put the "
        f"folder of an object detector as transformers writes it, such as {EXAMPLE}, into {FOLDER}."
    )
