"""Pictures cut for training: long ones into parts, others to the size that loses least. Source: spec/training.md §8."""

from __future__ import annotations

import math
from collections.abc import Iterator

from PIL import Image

from modules.enhance.upscaler import LANCZOS, Work
from modules.generation.postprocessing.step import Piece, Step
from modules.generation.tools import Tools
from modules.imaging.resize import ResizeMode, resize
from modules.terms.extras import MAXIMIZE_AREA, AutoCrop, ExtrasRequest, SplitOversized

GRID = 64


def split(piece: Piece, request: ExtrasRequest, tools: Tools, work: Work) -> list[Piece]:
    """The parts of a picture whose proportions are far from the target's; the picture itself if they are not."""
    asked = request.split or SplitOversized()
    if piece.target is None:
        return [piece]
    width, height = piece.target
    ratio = piece.image.height * width / (piece.image.width * height)
    taller = ratio > 1
    if ratio == 1 or min(ratio, 1 / ratio) > asked.threshold:
        return [piece]
    parts = parts_of(piece.image, width, height, asked.overlap, down=taller)
    return [piece.tagged(part, *([str(number)] if number else [])) for number, part in enumerate(parts)]


def parts_of(image: Image.Image, width: int, height: int, overlap: float, *, down: bool) -> Iterator[Image.Image]:
    """Parts of `width` x `height`, evenly spread over the longer side, sharing at least `overlap` (0 to 1) of it."""
    if down:
        whole = image.resize((width, image.height * width // image.width), LANCZOS)
    else:
        whole = image.resize((image.width * height // image.height, height), LANCZOS)
    length, part = (whole.height, height) if down else (whole.width, width)
    count = max(1, math.ceil((length - part * overlap) / (part * (1 - overlap))))
    for number in range(count):
        start = (length - part) * number // max(1, count - 1)
        yield whole.crop((0, start, width, start + height) if down else (start, 0, start + width, height))


def auto_crop(piece: Piece, request: ExtrasRequest, tools: Tools, work: Work) -> list[Piece]:
    """The picture at the best size of the grid; as it is if none is near enough to its proportions."""
    size = best_size(*piece.image.size, request.auto_crop or AutoCrop())
    if size is None:
        return [piece]
    return [piece.with_(resize(piece.image.convert("RGB"), *size, ResizeMode.CROP))]


def best_size(width: int, height: int, asked: AutoCrop) -> tuple[int, int] | None:
    """Of the sizes within the bounds, in steps of 64 from the lower one, the one that the objective prefers."""
    sides = range(asked.min_side, asked.max_side + 1, GRID)

    def error(size: tuple[int, int]) -> float:
        ratio = width / height / (size[0] / size[1])
        return 1 - min(ratio, 1 / ratio)

    fitting = [
        (one, other)
        for one in sides
        for other in sides
        if asked.min_area <= one * other <= asked.max_area and error((one, other)) <= asked.threshold
    ]
    if asked.objective == MAXIMIZE_AREA:
        return max(fitting, key=lambda size: (size[0] * size[1], -error(size)), default=None)
    return max(fitting, key=lambda size: (-error(size), size[0] * size[1]), default=None)


SPLIT = Step("Split oversized images", 4000, lambda request: request.split is not None, split)
AUTO_CROP = Step("Auto-sized crop", 4020, lambda request: request.auto_crop is not None, auto_crop)
