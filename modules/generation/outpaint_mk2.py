"""A1111's script "Outpainting mk2": one img2img for each side, over noise that resembles the picture.

Kept for old requests and their pictures; `outpaint` extends all sides at once and keeps the picture's own pixels.
Source: spec/features.md §8, and its recording in the parity group scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image, ImageDraw

from modules.imaging.margins import Margins
from modules.imaging.matched_noise import with_matched_noise
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest, Mask, Source
from modules.terms.result import GeneratedImage, GenerationResult

Side = Literal["left", "right", "up", "down"]
Draw = Callable[[GenerationRequest, int, int], GenerationResult]
"""`draw(request, number, count)`: the result of one of `count` passes."""

GRID = 64
ORDER: tuple[Side, ...] = ("left", "right", "up", "down")


@dataclass(frozen=True)
class Mk2:
    """What the script asks. mask_blur: how far the mask reaches into the picture; it is blurred by four times that."""

    pixels: int = 128
    mask_blur: int = 8
    directions: tuple[str, ...] = ORDER
    falloff: float = 1.0
    colour_variation: float = 0.05


def outpaint_mk2(request: GenerationRequest, options: Mk2, draw: Draw) -> GenerationResult:
    """The extended pictures, `n_iter` times the batch, with the text of the first pass.

    Raises: BadRequest without a picture; what `draw` raises. An interrupted pass ends the work with what there is.
    """
    if request.source is None or not request.source.images:
        raise BadRequest("Outpainting needs a picture to extend: drop one on the img2img tab.")
    picture = request.source.images[0].convert("RGB")
    sides = [
        (side, pixels)
        for side, pixels in completed_sides(picture.size, options.pixels, options.directions).items()
        if pixels
    ]
    first: GenerationResult | None = None
    images: list[GeneratedImage] = []
    interrupted = False
    for turn in range(request.n_iter):
        pictures = [picture] * request.batch_size
        for place, (side, pixels) in enumerate(sides):
            sheet = Sheet.of(side, pixels, options, (request.width, request.height), pictures)
            # Each turn has seeds of its own; the script would draw the same picture again.
            seed = request.seed if first is None else first.seeds[0] + turn * request.batch_size
            asked = request.with_(
                source=sheet.source(request.source),
                width=sheet.window_size[0],
                height=sheet.window_size[1],
                n_iter=1,
                seed=seed,
            )
            result = draw(asked, turn * len(sides) + place, request.n_iter * len(sides))
            first = first or result
            drawn = [image for image in result.images if image.kind == "sample"]
            pictures = sheet.completed([image.image for image in drawn])
            interrupted = result.interrupted
            if interrupted:
                break
        if first is not None:
            images += [replace(image, image=one) for image, one in zip(first.images, pictures, strict=False)]
        if interrupted:
            break
    if first is None:
        raise BadRequest("Outpainting extends no side: choose at least one direction, and pixels above 0.")
    resolved = request.with_(seed=first.seeds[0], checkpoint=first.request.checkpoint)
    return replace(first, request=resolved, images=tuple(images), interrupted=interrupted)


def completed_sides(size: tuple[int, int], pixels: int, directions: Sequence[str]) -> dict[Side, int]:
    """How far each side is extended, so that the whole gets sides that are multiples of 64."""
    left, right, up, down = (pixels if side in directions else 0 for side in ORDER)
    return dict(zip(ORDER, (*_completed(size[0], left, right), *_completed(size[1], up, down)), strict=True))


def _completed(length: int, before: int, after: int) -> tuple[int, int]:
    more = -(-(length + before + after) // GRID) * GRID - length
    first = before * more // (before + after) if before else 0
    return first, more - first if after else 0


@dataclass(frozen=True)
class Sheet:
    """Pictures extended on one side, with noise there; `window` is what is drawn of them.

    grown: the size with the new side; the sheets themselves are multiples of 64.
    """

    pictures: tuple[Image.Image, ...]
    mask: Image.Image
    latent: Image.Image
    window: tuple[int, int, int, int]
    grown: tuple[int, int]
    blurs: tuple[int, int]

    @classmethod
    def of(
        cls, side: Side, pixels: int, options: Mk2, limit: tuple[int, int], pictures: Sequence[Image.Image]
    ) -> Sheet:
        """limit: (width, height) of what may be drawn, along the extended side."""
        across = side in ("left", "right")
        margins = Margins(**{{"up": "top", "down": "bottom"}.get(side, side): pixels})
        grown = margins.around(pictures[0].size)
        width, height = (-(-length // GRID) * GRID for length in grown)
        reach = options.mask_blur if {"left", "right"} & set(options.directions) and across else 0
        depth = options.mask_blur if {"up", "down"} & set(options.directions) and not across else 0
        mask = Image.new("L", (width, height), 255)
        blacken(mask, kept(side, pixels + reach + depth, (width, height), grown))
        noisy = []
        for picture in pictures:
            sheet = Image.new("RGB", (width, height))
            sheet.paste(picture, margins.box(picture.size)[:2])
            noisy.append(
                with_matched_noise(sheet, mask, falloff=options.falloff, colour_variation=options.colour_variation)
            )
        seen = (min(limit[0], grown[0]), height) if across else (width, min(limit[1], grown[1]))
        left, top = 0 if side == "left" else width - seen[0], 0 if side == "up" else height - seen[1]
        latent = Image.new("L", seen, 255)
        blacken(latent, kept(side, pixels + 2 * (reach + depth), seen, grown))
        # The blur follows from all directions that are asked for, whichever side is on.
        blurs = (
            4 * options.mask_blur * bool({"left", "right"} & set(options.directions)),
            4 * options.mask_blur * bool({"up", "down"} & set(options.directions)),
        )
        return cls(tuple(noisy), mask, latent, (left, top, left + seen[0], top + seen[1]), grown, blurs)

    @property
    def window_size(self) -> tuple[int, int]:
        left, top, right, bottom = self.window
        return right - left, bottom - top

    def source(self, source: Source) -> Source:
        """What img2img starts from."""
        return replace(
            source,
            images=tuple(picture.crop(self.window) for picture in self.pictures),
            mask=Mask(
                self.mask.crop(self.window), blur_x=self.blurs[0], blur_y=self.blurs[1], fill=1, latent=self.latent
            ),
        )

    def completed(self, drawn: Sequence[Image.Image]) -> list[Image.Image]:
        """The sheets with what was drawn in the window, cut to the new size."""
        done = []
        for sheet, picture in zip(self.pictures, drawn, strict=False):
            whole = sheet.copy()
            whole.paste(picture, self.window[:2])
            done.append(whole.crop((0, 0, *self.grown)))
        return done


def kept(side: Side, depth: int, size: tuple[int, int], grown: tuple[int, int]) -> tuple[int, int, int, int]:
    """The rectangle, ends included, that is not repainted: all but `depth` pixels at `side`, as far as `grown`."""
    return (
        depth if side == "left" else 0,
        depth if side == "up" else 0,
        size[0] - depth if side == "right" else grown[0],
        size[1] - depth if side == "down" else grown[1],
    )


def blacken(mask: Image.Image, box: tuple[int, int, int, int]) -> None:
    """Makes `mask` black within `box`, ends included. A window of new pixels only has no such box."""
    if box[2] >= box[0] and box[3] >= box[1]:
        ImageDraw.Draw(mask).rectangle(box, fill=0)
