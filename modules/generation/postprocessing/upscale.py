"""Enlarging with one upscaler or a blend of two, to a factor or a size. Source: spec/features.md §5."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from modules.enhance.upscaler import Work
from modules.generation.postprocessing.step import Piece, Step
from modules.generation.tools import Tools
from modules.terms.extras import TO, ExtrasRequest, Upscaling, check_pixels

NONE = "None"


def wanted(request: ExtrasRequest) -> bool:
    return request.upscaling is not None


def upscale(piece: Piece, request: ExtrasRequest, tools: Tools, work: Work) -> list[Piece]:
    """Raises: NotFound for an unknown upscaler; BadRequest for a picture that would get too large."""
    asked = request.upscaling or Upscaling()
    size = (asked.width, asked.height)
    aim = size if asked.mode == TO else (int(piece.image.width * asked.scale), int(piece.image.height * asked.scale))
    piece = replace(piece, target=aim)
    first, second = tools.upscaler(asked.upscaler), tools.upscaler(asked.upscaler_2)
    if first.name == NONE:
        return [piece]
    check_pixels(asked, piece.image)
    blends = second.name != NONE and asked.upscaler_2_visibility > 0
    result = enlarged(piece, asked, asked.upscaler, tools, half(work, 0) if blends else work)
    entries = {**result.entries, "Postprocess upscaler": first.name}
    image = result.image
    if blends:
        other = enlarged(piece, asked, asked.upscaler_2, tools, half(work, 1)).image
        image = Image.blend(image, other.convert(image.mode), asked.upscaler_2_visibility)
        entries["Postprocess upscaler 2"] = second.name
    return [replace(result, image=image, entries=entries)]


def half(work: Work, number: int) -> Work:
    """`work` for the first (0) or second (1) half of what there is to do."""
    return Work(work.settings, lambda part, parts: work.done(number * parts + part, 2 * parts))


def enlarged(piece: Piece, asked: Upscaling, name: str, tools: Tools, work: Work) -> Piece:
    """`piece` enlarged by one upscaler and cut to size, with the entries that say so."""
    image, entries = piece.image, dict(piece.entries)
    size, crop = (asked.width, asked.height), asked.mode == TO and asked.crop
    scale = asked.scale
    if asked.mode == TO:
        entries["Postprocess upscale to"] = f"{asked.width}x{asked.height}"
        scale = max(size[0] / image.width, size[1] / image.height)
    else:
        entries["Postprocess upscale by"] = asked.scale
        if 0 < asked.max_side < max(image.size) * asked.scale:
            entries["Max side length"] = asked.max_side
            scale = limited_scale(image.width, image.height, asked.max_side)
    larger = tools.enlarged.get(image, name, scale, work.settings, lambda: tools.enlarge(name, work)(image, scale))
    if crop:
        sheet = Image.new("RGB", size)
        sheet.paste(larger, (size[0] // 2 - larger.width // 2, size[1] // 2 - larger.height // 2))
        larger = sheet
        entries["Postprocess crop to"] = f"{larger.width}x{larger.height}"
    return replace(piece, image=larger, entries=entries)


def limited_scale(width: int, height: int, limit: int) -> float:
    """The factor that makes `limit` of the longer side.

    As in A1111 both sides are rounded first and the larger factor counts, unless that goes beyond the limit.
    """
    longer, shorter = max(width, height), min(width, height)
    scale = max(limit / longer, round(limit * shorter / longer) / shorter)
    return scale if int(longer * scale) // 8 * 8 <= limit else limit / longer


UPSCALE = Step("Upscale", 1000, wanted, upscale)
