"""Pictures are written whole or not at all, with their text inside."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from modules.imaging.metadata import exif_with_comment, png_chunks, texts_of
from modules.terms.atomic import creating, replacing
from modules.terms.errors import BadRequest

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
LONGEST_SIDE = {"JPEG": 65535, "WEBP": 16383}
_HELD_BY = {
    "PNG": ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "GIF": ("1", "L", "LA", "P", "RGB", "RGBA"),
}
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
# The marker in front of a JPEG's EXIF counts its length in 16 bits.
JPEG_EXIF_LIMIT = 65533

# Rows of a picture repeat over short distances once they are filtered, so looking for runs alone finds what the full
# search finds: 512x512 takes 25 ms instead of 120, and the file is not larger (349 to 351 KiB; drawings 13 to 15).
PNG_SPEED = {"compress_level": 1, "compress_type": zlib.Z_RLE}


@dataclass(frozen=True)
class Encoding:
    """How lossy formats are written. `quality` 1 to 100."""

    quality: int = 80
    lossless_webp: bool = False


def format_of(path: Path | str) -> str:
    """Pillow's name of the format that the suffix of `path` stands for. Raises: BadRequest if there is none."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(sorted(suffix.lstrip(".") for suffix in FORMATS))
        raise BadRequest(f"{suffix.lstrip('.') or 'no suffix'} is not a picture format. Known: {known}.")
    return FORMATS[suffix]


def encode(
    image: Image.Image,
    format: str,
    text: str | None = None,
    *,
    encoding: Encoding | None = None,
    others: Mapping[str, Any] | None = None,
) -> bytes:
    """`image` as a file of `format` ("PNG", "JPEG", "WEBP", "AVIF", "GIF" …) with `text` inside, where it has a place.

    `others` are more texts by name, for PNG. PNG, TIFF, BMP and lossless WebP keep every pixel.
    """
    encoding = encoding or Encoding()
    buffer = io.BytesIO()
    options: dict[str, Any] = {}
    if format == "PNG":
        options = {"pnginfo": png_chunks(texts_of(text, others)), **PNG_SPEED}
    elif format in ("JPEG", "WEBP", "AVIF"):
        options = {"quality": encoding.quality, "exif": exif_with_comment(text) if text else b""}
        if format == "WEBP":
            # exact: or the colours under transparent pixels are dropped.
            options |= {"lossless": encoding.lossless_webp, "exact": encoding.lossless_webp}
    elif format == "GIF" and text:
        options = {"comment": text.encode("utf-8")}
    fitted(image, format).save(buffer, format, **options)
    return buffer.getvalue()


def fitted(image: Image.Image, format: str) -> Image.Image:
    """`image` in a mode that `format` can hold. Transparency is dropped where it cannot be kept."""
    if image.mode in ("I;16", "I;16B", "I") and format != "PNG":
        # 16 bit to 8: the high byte. Pillow's own conversion clips instead.
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in _HELD_BY.get(format, (image.mode,)):
        return image
    keeps_alpha = format != "JPEG" and (image.mode in _WITH_ALPHA or "transparency" in image.info)
    return image.convert("RGBA" if keeps_alpha else "RGB")


def holds(format: str, image: Image.Image, text: str | None) -> bool:
    """Whether a file of `format` can hold a picture of that size with that text."""
    if max(image.size) > LONGEST_SIDE.get(format, max(image.size)):
        return False
    return format != "JPEG" or not text or len(exif_with_comment(text)) <= JPEG_EXIF_LIMIT


def prepare(
    image: Image.Image,
    suffix: str,
    text: str | None = None,
    *,
    encoding: Encoding | None = None,
    others: Mapping[str, Any] | None = None,
) -> tuple[str, bytes]:
    """The content of a file with `image` and the suffix it needs.

    That is `suffix`, or .png where its format cannot hold the picture (too large, or too much text).
    Raises: BadRequest if the suffix is not that of a picture.
    """
    format = format_of(f"x{suffix}")
    if not holds(format, image, text):
        suffix, format = ".png", "PNG"
    return suffix, encode(image, format, text, encoding=encoding, others=others)


def save_image(
    image: Image.Image,
    path: Path,
    text: str | None = None,
    *,
    encoding: Encoding | None = None,
    others: Mapping[str, Any] | None = None,
    replace: bool = True,
) -> Path:
    """Write `image` to `path` in the format of its suffix; returns where it stands, which may end in .png instead.

    With `replace=False` raises FileExistsError if the name is taken, be it by another process in this very moment.
    """
    suffix, data = prepare(image, path.suffix, text, encoding=encoding, others=others)
    path = path.with_suffix(suffix)
    write_file(path, data, replace=replace)
    return path


def write_file(path: Path, data: bytes, *, replace: bool) -> None:
    """Put a file with `data` at `path`, whole or not at all. Raises: FileExistsError if that is taken and to stay."""
    with (replacing if replace else creating)(path) as draft:
        draft.write_bytes(data)


def open_image(source: Path | bytes, *, what: str = "The picture") -> Image.Image:
    """The picture in a file or its bytes, fully read. Raises: BadRequest if it is none or is broken."""
    try:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadRequest(f"{what} cannot be read: {error}. Send a PNG, JPEG, WebP, AVIF or GIF file.") from error
    return image
