"""The text inside picture files: where each format keeps it.

PNG: text chunks. JPEG, WebP, AVIF: EXIF UserComment in UTF-16, big endian, as A1111 and Civitai expect. GIF: comment.
Source: spec/infotext.md §3.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

PARAMETERS = "parameters"

_EXIF_POINTER = 0x8769
_USER_COMMENT = 0x9286
_UNICODE = b"UNICODE\0"
# Entries of a picture that say how it is stored, not what it is.
_TECHNICAL = {
    *("jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "exif", "loop", "background", "timestamp"),
    *("duration", "progressive", "progression", "icc_profile", "chromaticity", "photoshop", "adobe", "adobe_transform"),
    *("gamma", "srgb", "interlace", "transparency", "extension", "version", "mp", "mpoffset", "xmp", "primaries"),
}
# ComfyUI keeps "prompt:{…}" and "workflow:{…}" in these where there are no text chunks.
_COMFY_TAGS = (ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.ImageDescription)


@dataclass(frozen=True)
class Metadata:
    """What is written inside a picture. `text`: the generation parameters, None if there are none in A1111's places.
    `items`: every text in the file by its name, that one included. `size`: of the picture."""

    text: str | None = None
    items: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)


def read_metadata(image: Image.Image) -> Metadata:
    """The texts inside `image`, as opened from a file. Broken ones are skipped, never raised."""
    items = {str(key): _as_text(value) for key, value in image.info.items() if str(key).lower() not in _TECHNICAL}
    text = items.get(PARAMETERS)
    exif = _exif_texts(image)
    items.update(exif)
    if "exif comment" in exif:
        text = exif["exif comment"]
    elif text is None and image.format == "GIF":
        text = items.get("comment")
    return Metadata(text, items, image.size)


def texts_in(image: Image.Image) -> dict[str, str]:
    """Every text inside `image` by its name, the generation parameters under `PARAMETERS` wherever they were kept."""
    metadata = read_metadata(image)
    texts = {name: text for name, text in metadata.items.items() if name != "exif comment"}
    return texts | ({PARAMETERS: metadata.text} if metadata.text else {})


def _as_text(value: object) -> str:
    return value.decode("utf-8", errors="ignore") if isinstance(value, bytes) else str(value)


def _exif_texts(image: Image.Image) -> dict[str, str]:
    try:
        exif = image.getexif()
        # Fooocus puts the comment one level too high.
        comment = exif.get_ifd(_EXIF_POINTER).get(_USER_COMMENT) or exif.get(_USER_COMMENT)
        tagged = [exif.get(tag) for tag in _COMFY_TAGS]
    # Pillow lets through whatever its parsers meet in a broken block.
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError, struct.error):
        return {}
    found: dict[str, str] = {}
    if isinstance(comment, (bytes, str)) and comment:
        found["exif comment"] = decode_comment(comment) if isinstance(comment, bytes) else comment
    for entry in tagged:
        name, _, graph = _as_text(entry or "").partition(":")
        if name.lower() in ("prompt", "workflow") and graph.lstrip().startswith("{"):
            found[name.lower()] = graph.rstrip("\0")
    return found


def decode_comment(comment: bytes) -> str:
    """The text of a UserComment: UTF-16 in either order after `UNICODE`, UTF-8 after anything else."""
    code, body = comment[:8], comment[8:]
    if code == _UNICODE:
        # The standard leaves the order open. A1111 writes big endian; text of ours has more zero high than low bytes.
        little = body[1::2].count(0) > body[0::2].count(0)
        return body.decode("utf-16-le" if little else "utf-16-be", errors="ignore").rstrip("\0")
    if code in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", b"\0" * 8):
        comment = body
    return comment.decode("utf-8", errors="ignore").rstrip("\0")


def png_chunks(texts: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """Text chunks: tEXt where Latin-1 holds the text, iTXt elsewhere."""
    chunks = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_text(_latin(name)[:79] or "text", text.replace("\0", "").encode("utf-8", "replace").decode())
    return chunks


def _latin(name: str) -> str:
    return name.encode("latin-1", "ignore").decode("latin-1").strip()


def exif_with_comment(text: str) -> bytes:
    """An EXIF block whose one entry is the UserComment `text`.

    By hand, since Pillow writes this entry with the type BYTE, which some readers take for a list of numbers.
    """
    comment = _UNICODE + text.encode("utf-16-be", errors="replace")
    header = b"MM\0*" + struct.pack(">L", 8)
    first = struct.pack(">HHHLLL", 1, _EXIF_POINTER, 4, 1, 26, 0)
    second = struct.pack(">HHHLLL", 1, _USER_COMMENT, 7, len(comment), 44, 0)
    return b"Exif\0\0" + header + first + second + comment


def texts_of(parameters: str | None, others: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Texts by name for a PNG: `parameters` first, then those of `others` that are text."""
    texts = {PARAMETERS: parameters} if parameters else {}
    for name, value in (others or {}).items():
        if isinstance(value, str):
            texts.setdefault(name, value)
    return texts
