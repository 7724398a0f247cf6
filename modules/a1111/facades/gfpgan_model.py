"""GFPGAN, as the studio has it."""

from __future__ import annotations

from modules.a1111.faces import Restorer
from modules.a1111.missing import refusing

gfpgan_face_restorer = Restorer("GFPGAN")


def gfpgan_fix_faces(np_image):
    return gfpgan_face_restorer.restore(np_image)


def setup_model(dirname):
    """The studio lists its restorers by itself."""


__getattr__ = refusing("modules.gfpgan_model")
