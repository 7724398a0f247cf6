"""Words for a picture, written beside its file."""

from __future__ import annotations

from dataclasses import replace

from modules.enhance.upscaler import Work
from modules.generation.postprocessing.step import Piece, Step
from modules.generation.tools import Tools
from modules.terms.extras import ExtrasRequest


def caption(piece: Piece, request: ExtrasRequest, tools: Tools, work: Work) -> list[Piece]:
    """Raises: NotFound saying which model is missing."""
    ways = request.captions.ways if request.captions else ()
    words = [tools.captioners[way].caption(piece.image) for way in ways]
    return [replace(piece, caption=", ".join(words))]


CAPTION = Step("Caption", 4040, lambda request: bool(request.captions and request.captions.ways), caption)
