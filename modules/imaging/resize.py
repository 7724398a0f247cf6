"""Pictures brought to a size. Source: spec/sampling.md §8, resize modes."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from PIL import Image

from modules.terms.errors import BadRequest

MAX_PIXELS = 1 << 28
LANCZOS = Image.Resampling.LANCZOS

# (picture, factor) -> a picture at least that many times as large.
Upscale = Callable[[Image.Image, float], Image.Image]


class ResizeMode(IntEnum):
    """How a picture meets another aspect ratio. LATENT is up to the caller: pixels stay as they are."""

    STRETCH = 0
    CROP = 1
    FILL = 2
    LATENT = 3


def resize(
    image: Image.Image, width: int, height: int, mode: int = ResizeMode.STRETCH, upscale: Upscale | None = None
) -> Image.Image:
    """`image` at exactly `width` x `height`.

    STRETCH distorts; CROP fills the size and cuts off what sticks out; FILL fits inside and stretches the border
    outwards. Enlarging goes through `upscale` where there is one, except for masks (mode L).

    Raises: BadRequest for strips so long that they would fill the memory on the way.
    """
    if mode == ResizeMode.CROP:
        return _crop(image, width, height, upscale)
    if mode == ResizeMode.FILL:
        return _fill(image, width, height, upscale)
    return _to(image, width, height, upscale)


def _to(image: Image.Image, width: int, height: int, upscale: Upscale | None) -> Image.Image:
    scale = max(width / image.width, height / image.height)
    enlarged = image.width * image.height * scale**2 if upscale is not None and image.mode != "L" and scale > 1 else 0
    if max(width * height, enlarged) > MAX_PIXELS:
        raise BadRequest(
            f"A picture of {image.width}x{image.height} is too long and narrow for this size: on the way it would have "
            f"{max(width * height, enlarged) / 1e6:.0f} megapixels. Cut it first."
        )
    if upscale is not None and image.mode != "L" and scale > 1:
        image = upscale(image, scale)
    if upscale is not None and image.size == (width, height):
        return image
    return image.resize((width, height), LANCZOS)


def _part(side: int, new_other: int, other: int) -> int:
    """The length that `side` gets when the other side of the picture gets `new_other`; at least a pixel."""
    return max(1, side * new_other // other)


def _crop(image: Image.Image, width: int, height: int, upscale: Upscale | None) -> Image.Image:
    wider = width / height > image.width / image.height
    inner_width = width if wider else _part(image.width, height, image.height)
    inner_height = _part(image.height, width, image.width) if wider else height
    inner = _to(image, inner_width, inner_height, upscale)
    sheet = Image.new("RGB", (width, height))
    sheet.paste(inner, (width // 2 - inner_width // 2, height // 2 - inner_height // 2))
    return sheet


def _fill(image: Image.Image, width: int, height: int, upscale: Upscale | None) -> Image.Image:
    ratio, own_ratio = width / height, image.width / image.height
    inner_width = width if ratio < own_ratio else _part(image.width, height, image.height)
    inner_height = height if ratio >= own_ratio else _part(image.height, width, image.width)
    inner = _to(image, inner_width, inner_height, upscale)
    sheet = Image.new("RGB", (width, height))
    left, top = width // 2 - inner_width // 2, height // 2 - inner_height // 2
    sheet.paste(inner, (left, top))
    # A strip is the border resampled from a box of no extent, which overshoots it a little, as in A1111.
    if ratio < own_ratio and top > 0:
        for edge, place in ((0, 0), (inner_height, top + inner_height)):
            sheet.paste(inner.resize((width, top), box=(0, edge, inner_width, edge)), (0, place))
    elif ratio > own_ratio and left > 0:
        for edge, place in ((0, 0), (inner_width, left + inner_width)):
            sheet.paste(inner.resize((left, height), box=(edge, 0, edge, inner_height)), (place, 0))
    return sheet
