"""Pictures as they travel in JSON: base64 in, base64 out. Nothing that arrives is trusted."""

from __future__ import annotations

import base64
import binascii
import io
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from modules.sdapi.fetch import fetch
from modules.terms.errors import BadRequest, NotFound, Refused

MAX_PIXELS = 1 << 26
# A strip of one pixel and 60 million lines takes half a minute to read.
MAX_SIDE = 1 << 17
# Pillow reads more kinds than these; some run other programs (EPS) or are seldom looked after.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "ICO", "PPM")


def read_image(text: str, settings: Mapping[str, Any]) -> Image.Image:
    """The picture in a field of a request: base64, with or without `data:image/…;base64,`, or an http(s) address.

    It stands upright (EXIF), and a palette with transparency is RGBA.
    Raises: BadRequest if it is no picture or too large, Refused for addresses that may not be fetched.
    """
    image = open_image(bytes_of(text, settings))
    try:
        upright = ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, struct.error):
        # A broken EXIF block says nothing about which side is up.
        upright = image
    if upright.mode in ("P", "RGB", "L") and isinstance(upright.info.get("transparency"), bytes):
        upright = upright.convert("RGBA")
    return upright


def open_image(data: bytes) -> Image.Image:
    """The picture in `data` as it is, loaded. Raises: BadRequest if it is none, is broken or too large."""
    if not data:
        raise BadRequest("Invalid encoded image: it is empty.")
    try:
        # The size is known from the first bytes; a bomb is refused before it unfolds.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_known_formats())
        if image.width * image.height > MAX_PIXELS:
            raise BadRequest(
                f"The picture is {image.width}x{image.height}; at most {MAX_PIXELS // 1_000_000} megapixels are read."
            )
        if max(image.size) > MAX_SIDE:
            raise BadRequest(f"The picture is {image.width}x{image.height}; a side has at most {MAX_SIDE} pixels.")
        image.load()
    except UnidentifiedImageError as error:
        raise BadRequest(f"Invalid encoded image: it is none of {', '.join(FORMATS)}.") from error
    except (
        Image.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        TypeError,
        OverflowError,
    ) as error:
        raise BadRequest(f"Invalid encoded image: {error}.") from error
    return image


def _known_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def bytes_of(text: str, settings: Mapping[str, Any]) -> bytes:
    """What a field holds or points to. Raises: BadRequest, Refused."""
    text = text.strip()
    if text[:8].lower().startswith(("http://", "https://")):
        if not settings["api_enable_requests"]:
            raise Refused("Pictures by address are switched off. Send base64, or set api_enable_requests.")
        return fetch(text, user_agent=str(settings["api_useragent"] or ""))
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"Invalid encoded image: it is not base64 ({error}).") from error


def as_base64(path: Path) -> str:
    """The file as base64. Raises: NotFound if somebody removed it."""
    try:
        return base64.b64encode(path.read_bytes()).decode("ascii")
    except FileNotFoundError as error:
        raise NotFound(f"The picture {path.name} has been removed since it was drawn.") from error


def encode_preview(image: Image.Image, file_format: str) -> bytes:
    """A preview as PNG, JPEG or WebP bytes. PNG is only squeezed while that is quick (A1111: up to 256 pixels)."""
    buffer = io.BytesIO()
    if file_format == "png":
        small = max(image.size) <= 256
        image.save(buffer, "PNG", optimize=small, compress_level=9 if small else 1)
    else:
        image.convert("RGB").save(buffer, "WEBP" if file_format == "webp" else "JPEG", quality=85)
    return buffer.getvalue()


def data_uri(data: bytes, file_format: str) -> str:
    return f"data:image/{file_format};base64,{base64.b64encode(data).decode('ascii')}"
