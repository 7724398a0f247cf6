"""A1111's script "Poor man's outpainting": the picture on a larger sheet, whose new parts are inpainted tile by tile.

Kept for old requests; `outpaint` draws all at once and to the pixel. Source: spec/features.md §8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

from modules.generation.outpaint_mk2 import ORDER, Draw, completed_sides
from modules.imaging.margins import Margins
from modules.imaging.tile_grid import TileGrid
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest, Mask
from modules.terms.result import GenerationResult


@dataclass(frozen=True)
class OutpaintTiles:
    """What the script asks. mask_blur: half the sigma of the blur, and half of how far the mask reaches in."""

    pixels: int = 128
    mask_blur: int = 4
    fill: int = 0
    directions: tuple[str, ...] = ORDER


def outpaint_tiles(request: GenerationRequest, options: OutpaintTiles, draw: Draw) -> GenerationResult:
    """The extended picture, with the text of its first tile. Tiles have the request's size and `pixels` in common.

    Raises: BadRequest without a picture, without a side, or if the tiles are too small; what `draw` raises. An
    interruption leaves the tiles that were not drawn as the sheet has them.
    """
    if request.source is None or not request.source.images:
        raise BadRequest("Outpainting needs a picture to extend: drop one on the img2img tab.")
    picture = request.source.images[0].convert("RGB")
    sides = completed_sides(picture.size, options.pixels, options.directions)
    margins = Margins(sides["left"], sides["up"], sides["right"], sides["down"])
    sheet = Image.new("RGB", margins.around(picture.size))
    box = margins.box(picture.size)
    sheet.paste(picture, box[:2])
    if not 0 < options.pixels < min(request.width, request.height):
        raise BadRequest(
            f"Tiles of {request.width}x{request.height} cannot have {options.pixels} pixels in common. Extend by fewer "
            "pixels, or raise width and height."
        )
    mask, latent = (all_but(box, sheet.size, depth) for depth in (options.mask_blur * 2, options.mask_blur // 2))
    grid = TileGrid.over(sheet.size, (request.width, request.height), options.pixels)
    tiles, masks, latents = grid.split(sheet), grid.split(mask), grid.split(latent)
    new = [number for number, tile in enumerate(grid.boxes) if not inside(tile, box)]
    first: GenerationResult | None = None
    interrupted = False
    for place, number in enumerate(new):
        blur = options.mask_blur * 2
        cut = Mask(masks[number], blur_x=blur, blur_y=blur, fill=options.fill, latent=latents[number])
        asked = request.with_(
            source=replace(request.source, images=(tiles[number],), mask=cut),
            batch_size=1,
            n_iter=1,
            seed=request.seed if first is None else first.seeds[0] + place,
        )
        result = draw(asked, place, len(new))
        first = first or result
        tiles[number] = next(image.image for image in result.images if image.kind == "sample")
        interrupted = result.interrupted
        if interrupted:
            break
    if first is None:
        raise BadRequest("Outpainting extends no side: choose at least one direction, and pixels above 0.")
    resolved = request.with_(seed=first.seeds[0], checkpoint=first.request.checkpoint)
    whole = replace(next(one for one in first.images if one.kind == "sample"), image=grid.joined(tiles))
    return replace(first, request=resolved, images=(whole,), interrupted=interrupted)


def all_but(box: tuple[int, int, int, int], size: tuple[int, int], depth: int) -> Image.Image:
    """A mask (L) of `size`, white but for `box`, ends included, less `depth` pixels where it is extended."""
    left, top, right, bottom = box
    mask = Image.new("L", size, 255)
    hole = (
        left + depth * (left > 0),
        top + depth * (top > 0),
        right - depth * (right < size[0]),
        bottom - depth * (bottom < size[1]),
    )
    ImageDraw.Draw(mask).rectangle(hole, fill=0)
    return mask


def inside(box: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    """Whether `box` lies in `other` as a whole."""
    return box[0] >= other[0] and box[1] >= other[1] and box[2] <= other[2] and box[3] <= other[3]
