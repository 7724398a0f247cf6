"""Which detectors there are, and which of them a name means. No OpenCV, no torch here: lists are made of this."""

from __future__ import annotations

from modules.terms.detail import FACE
from modules.terms.errors import NotFound

PERSON = "person"
OWN = (FACE, PERSON)
YUNET = "face_detection_yunet_2023mar.onnx from OpenCV's model zoo into models/GFPGAN"


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
    raise NotFound(f"There is no detector called {name!r}. Those that come with OpenCV are {known}.")
