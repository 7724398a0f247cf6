"""Faces repaired by the studio, or by what an extension registered."""

from __future__ import annotations

from modules.a1111.missing import refusing


class FaceRestoration:
    def name(self):
        return "None"

    def restore(self, np_image):
        return np_image


def restore_faces(np_image):
    """(H, W, 3) uint8 with its faces repaired by the restorer that the settings name."""
    from modules import shared

    chosen = shared.opts.face_restoration_model
    own = next((one for one in shared.face_restorers if one.name() == chosen), None)
    return np_image if own is None else own.restore(np_image)


__getattr__ = refusing("modules.face_restoration")
