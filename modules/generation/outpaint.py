"""Outpainting: a picture goes on beyond its edges, through the path of inpainting.

What was there before keeps its bits but for a seam along the sides that are extended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image, ImageChops

from modules.generation.always_on import ALWAYS_ON, OUTPAINT_CONTENTS, Outpainting, asked, entries_of
from modules.imaging.margins import Box, Margins, seam, widened
from modules.imaging.masks import flattened, prepared_mask
from modules.imaging.resize import ResizeMode
from modules.terms.errors import BadRequest
from modules.terms.hires_size import MAX_SIDE
from modules.terms.request import GenerationRequest, Mask, Source
from modules.terms.result import GeneratedImage, GenerationResult

TITLE = next(script.title for script in ALWAYS_ON if script.options is Outpainting)
# Sides of what is drawn are multiples of this.
GRID = 8


@dataclass(frozen=True)
class Outpainted:
    """`request` as it was asked, and what is drawn for it: `drawn`, of which `box` is shown."""

    request: GenerationRequest
    drawn: GenerationRequest
    box: Box
    entries: Mapping[str, Any]

    def result(self, result: GenerationResult) -> GenerationResult:
        """`result` of drawing, as the answer to what was asked: running its request again extends again."""
        images = tuple(self._shown(image) for image in result.images)
        request = result.request.with_(source=self.request.source, scripts=self.request.scripts)
        return replace(result, images=images, request=request)

    def _shown(self, image: GeneratedImage) -> GeneratedImage:
        if image.kind == "control" or self.box == (0, 0, *image.image.size):
            return image
        return replace(image, image=image.image.crop(self.box))


def outpainted(request: GenerationRequest, settings: Mapping[str, Any]) -> Outpainted | None:
    """What is drawn so that the picture of `request` goes on beyond its edges; None if it does not ask for that, or has
    no picture.

    Raises: BadRequest if no side is named, or the result would be too large.
    """
    options = asked(request, Outpainting)
    if options is None or request.source is None:
        return None
    pictures = [flattened(image, settings["img2img_background_color"]) for image in request.source.images]
    size = pictures[0].size
    if any(picture.size != size for picture in pictures):
        raise BadRequest("Outpainting extends several pictures at once only if all are of one size.")
    sides = options.left, options.up, options.right, options.down
    wanted = Margins(*map(int, sides))
    if not any(sides):
        raise BadRequest("Outpainting is on, but extends no side: set left, right, up or down.")
    margins = wanted.completed(size, GRID)
    width, height = margins.around(size)
    if max(width, height) > MAX_SIDE:
        raise BadRequest(f"The extended picture would be {width}x{height}; a side has at most {MAX_SIDE} pixels.")
    source = replace(
        request.source,
        images=tuple(widened(picture, margins, number) for number, picture in enumerate(pictures)),
        resize_mode=ResizeMode.STRETCH,
        mask=_mask(request.source, size, margins, options),
    )
    others = {title: values for title, values in request.scripts.items() if title != TITLE}
    drawn = request.with_(source=source, width=width, height=height, scripts=others)
    return Outpainted(request, drawn, (0, 0, *wanted.around(size)), entries_of(options))


def _mask(source: Source, size: tuple[int, int], margins: Margins, options: Outpainting) -> Mask:
    """The mask of the margins, and of what the picture's own mask covers."""
    mask = seam(size, margins, int(options.blend))
    round_latents = True
    if source.mask is not None:
        own = source.mask
        painted = prepared_mask(
            own.image, invert=own.invert, blur_x=own.blur_x, blur_y=own.blur_y, round_alpha=own.round
        )
        sheet = Image.new("L", mask.size)
        sheet.paste(painted if painted.size == size else painted.resize(size), margins.box(size))
        mask, round_latents = ImageChops.lighter(mask, sheet), own.round
    return Mask(mask, blur_x=0, blur_y=0, fill=OUTPAINT_CONTENTS[options.content], round=round_latents)
