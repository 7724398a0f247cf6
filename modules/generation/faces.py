"""Faces of drawn pictures repaired, where the request or the settings ask for it."""

from __future__ import annotations

from PIL import Image

from modules.enhance.upscaler import Work
from modules.generation.session import Session
from modules.terms.errors import Interrupted, NotFound, Refused, Skipped, UnknownFile
from modules.terms.progress import Progress

INFOTEXT = "Face restoration"


def wants_faces(session: Session) -> bool:
    """Whether the faces of this job are to be repaired."""
    asked = session.request.restore_faces
    return bool(session.settings["face_restoration"] if asked is None else asked)


def with_faces(picture: Image.Image, number: int, session: Session) -> Image.Image | None:
    """`picture` with its faces repaired; None if that cannot be done, which the session's notes then tell.

    What took minutes to draw is not thrown away because a file for the last touch is missing. `number`: how many passes
    are done.
    """

    def done(part: int, parts: int) -> None:
        try:
            session.watch(Progress("faces", part, parts, number, session.passes, counts=False))
        except (Interrupted, Skipped) as stop:
            session.stopped = stop

    name, weight = session.settings["face_restoration_model"], session.settings["code_former_weight"]
    try:
        faces = session.tools.face_repair()
        repaired = faces.restore(name, picture, weight, Work(session.settings, done))
    except (NotFound, Refused, UnknownFile) as error:
        session.note(str(error))
        session.extra[INFOTEXT] = None
        return None
    if session.settings["face_restoration_unload"]:
        faces.unload(name)
    return repaired
