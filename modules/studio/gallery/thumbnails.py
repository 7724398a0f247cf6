"""Small versions of pictures, made once and kept in the cache folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image, ImageOps

from modules.studio.gallery.picture import Picture
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest

SIDE = 320
QUALITY = 78


class Thumbnails:
    """WebP files by what their picture's path and stamp are, so a changed picture gets another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, picture: Picture) -> Path:
        """The file of the small version; made now if there is none. Raises: BadRequest."""
        key = hashlib.sha256(f"{picture.path}\0{picture.stamp}\0{SIDE}".encode("utf-8", "surrogatepass")).hexdigest()
        path = self.folder / key[:2] / f"{key}.webp"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with Image.open(picture.path) as image:
                    small = shrunk(image)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                raise BadRequest(f"{picture.path.name} cannot be read: {error}.") from error
            with replacing(path) as draft:
                small.save(draft, "WEBP", quality=QUALITY, method=2)
        return path


def shrunk(image: Image.Image) -> Image.Image:
    """`image` upright and within SIDE x SIDE."""
    image.draft("RGB", (SIDE * 2, SIDE * 2))
    upright = ImageOps.exif_transpose(image)
    if upright.mode not in ("RGB", "RGBA"):
        upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    upright.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return upright
