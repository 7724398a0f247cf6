"""Mirrored copies beside the picture."""

from __future__ import annotations

from PIL import Image, ImageOps

from modules.enhance.upscaler import Work
from modules.generation.postprocessing.step import Piece, Step
from modules.generation.tools import Tools
from modules.terms.extras import BOTH, HORIZONTAL, VERTICAL, ExtrasRequest


def flipped(image: Image.Image, way: str) -> Image.Image:
    """`image` mirrored left to right ("Horizontal"), upside down ("Vertical"), or both."""
    if way == HORIZONTAL:
        return ImageOps.mirror(image)
    return ImageOps.flip(image if way == VERTICAL else ImageOps.mirror(image))


def copies(piece: Piece, request: ExtrasRequest, tools: Tools, work: Work) -> list[Piece]:
    ways = [way for way in (HORIZONTAL, VERTICAL, BOTH) if request.flips and way in request.flips.ways]
    return [piece, *(piece.tagged(flipped(piece.image, way), way.lower()) for way in ways)]


FLIPS = Step("Create flipped copies", 4030, lambda request: bool(request.flips and request.flips.ways), copies)
