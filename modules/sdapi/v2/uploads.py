"""Pictures that are sent once and named in later requests: files in the cache, forgotten after a day."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path

from PIL import Image

from modules.sdapi.images import open_image
from modules.terms.atomic import replacing
from modules.terms.errors import NotFound, Refused

FORGOTTEN_S = 24 * 3600
MOST = 1000
_ID = re.compile(r"[0-9a-f]{16}")


class PictureUploads:
    """Uploads in `folder`. May be used from any thread, and by the next start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, data: bytes) -> tuple[str, Image.Image]:
        """(id, the picture). Raises: BadRequest if it is no picture or too large, Refused if there are too many."""
        picture = open_image(data)
        self._clean()
        upload_id = secrets.token_hex(8)
        with replacing(self._folder / upload_id) as draft:
            draft.write_bytes(data)
        return upload_id, picture

    def read(self, upload_id: str) -> bytes:
        """What was sent. Raises: NotFound."""
        try:
            # The pattern keeps paths out.
            return (self._folder / upload_id).read_bytes() if _ID.fullmatch(upload_id) else _missing(upload_id)
        except FileNotFoundError:
            return _missing(upload_id)

    def _clean(self) -> None:
        if not self._folder.is_dir():
            return
        kept = 0
        for path in self._folder.iterdir():
            if time.time() - path.stat().st_mtime > FORGOTTEN_S:
                path.unlink(missing_ok=True)
            else:
                kept += 1
        if kept >= MOST:
            raise Refused(f"{MOST} uploads of the last day are kept already. Name pictures of jobs, or send base64.")


def _missing(upload_id: str) -> bytes:
    raise NotFound(f"There is no upload {upload_id[:40]!r} (any more): pictures are kept for a day. Send it again.")
