"""Masks of inpainting: what is repainted, where it is cut out, and how the result is put back.

White is repainted. Boxes are (left, top, right, bottom) in pixels. Source: spec/sampling.md §8 and §12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from modules.imaging.blur import blur_mask
from modules.imaging.resize import ResizeMode, Upscale, resize

Box = tuple[int, int, int, int]

# (radius, how often): wide blurs first, each covered by the next finer one where that has any colour.
FILL_BLURS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))


@dataclass(frozen=True)
class Region:
    """How one mask is applied. `mask` (L) has the size that is drawn; `overlay` (L) is white where the result covers
    the original. `box`: the part of the source that is drawn and pasted back, None for the whole."""

    mask: Image.Image
    overlay: Image.Image
    box: Box | None = None


def grey_mask(image: Image.Image, *, round_alpha: bool = True) -> Image.Image:
    """A mode L mask of `image`: its transparency where it has any (rounded to black and white, if so asked), else its
    brightness."""
    if image.mode == "RGBA" and image.getextrema()[-1] != (255, 255):
        alpha = image.getchannel("A")
        return alpha.point([255 if value > 128 else 0 for value in range(256)]) if round_alpha else alpha
    return image.convert("L")


def prepared_mask(
    image: Image.Image, *, invert: bool = False, blur_x: float = 0, blur_y: float = 0, round_alpha: bool = True
) -> Image.Image:
    """The mask in `image`, inverted and blurred, mode L."""
    mask = grey_mask(image, round_alpha=round_alpha)
    return blur_mask(ImageOps.invert(mask) if invert else mask, blur_x, blur_y)


def whole_region(mask: Image.Image, width: int, height: int, resize_mode: int = ResizeMode.STRETCH) -> Region:
    """The region of a prepared mask when the whole picture is drawn at `width` x `height`."""
    fitted = resize(mask, width, height, resize_mode).convert("L")
    # Half-grey already covers the original fully: the seam lies in the soft part.
    overlay = np.clip(np.asarray(fitted, np.float32) * 2, 0, 255).astype(np.uint8)
    return Region(fitted, Image.fromarray(overlay))


def masked_region(mask: Image.Image, width: int, height: int, padding: int = 0) -> Region | None:
    """The region when only what a prepared mask covers is drawn, at `width` x `height`; None if it covers nothing."""
    covered = padded_box(mask, padding)
    if covered is None:
        return None
    box = expanded_box(covered, width, height, *mask.size)
    return Region(resize(mask.crop(box), width, height, ResizeMode.FILL).convert("L"), mask, box)


def padded_box(mask: Image.Image, padding: int = 0) -> Box | None:
    """The box of everything that is not black, `padding` larger on each side but within the picture; None if none."""
    covered = mask.getbbox()
    if covered is None:
        return None
    left, top, right, bottom = covered
    return (
        max(left - padding, 0),
        max(top - padding, 0),
        min(right + padding, mask.width),
        min(bottom + padding, mask.height),
    )


def expanded_box(box: Box, width: int, height: int, image_width: int, image_height: int) -> Box:
    """`box` grown to the proportions of `width` x `height`, moved inside the picture, cut where it does not fit."""
    left, top, right, bottom = box
    ratio = width / height
    if (right - left) / (bottom - top) > ratio:
        top, bottom = _grown(top, bottom, int((right - left) / ratio - (bottom - top)), image_height)
    else:
        left, right = _grown(left, right, int((bottom - top) * ratio - (right - left)), image_width)
    return left, top, right, bottom


def _grown(start: int, end: int, more: int, limit: int) -> tuple[int, int]:
    start, end = start - more // 2, end + more - more // 2
    if end >= limit:
        start, end = start - (end - limit), limit
    if start < 0:
        start, end = 0, end - start
    return start, min(end, limit)


def cut_out(image: Image.Image, box: Box, width: int, height: int, upscale: Upscale | None = None) -> Image.Image:
    """What lies in `box`, brought to `width` x `height`, RGB. Enlarging goes through `upscale` where there is one."""
    return resize(image.crop(box), width, height, ResizeMode.FILL, upscale)


def overlay_of(image: Image.Image, overlay_mask: Image.Image) -> Image.Image:
    """`image` as RGBA with what is repainted taken out: laid over the result, it brings the original back."""
    kept = Image.new("RGBa", image.size)
    kept.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(overlay_mask.convert("L")))
    return kept.convert("RGBA")


def uncropped(drawn: Image.Image, size: tuple[int, int], box: Box | None) -> Image.Image:
    """`drawn` where it belongs in a picture of that size: in `box`, transparent around it; as it is without one."""
    if box is None:
        return drawn
    left, top, right, bottom = box
    sheet = Image.new("RGBA", size)
    sheet.paste(resize(drawn, right - left, bottom - top, ResizeMode.CROP), (left, top))
    return sheet


def paste_back(drawn: Image.Image, overlay: Image.Image, box: Box | None = None) -> Image.Image:
    """`drawn` with the original over it, RGB, of the size of `overlay`.

    Where the overlay is opaque, its pixels come back bit by bit. With `box`, `drawn` goes there first.
    """
    result = uncropped(drawn, overlay.size, box).convert("RGBA")
    result.alpha_composite(overlay)
    return result.convert("RGB")


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """`image`, RGB, with what the mask covers replaced by the colours around it, blurred from far to near."""
    kept = Image.new("RGBa", image.size)
    kept.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask.convert("L")))
    result = Image.new("RGBA", image.size)
    for radius, repeats in FILL_BLURS:
        blurred = kept.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(repeats):
            result.alpha_composite(blurred)
    return result.convert("RGB")


def flattened(image: Image.Image, background: str) -> Image.Image:
    """`image` as RGB; what is transparent shows `background` ("#rrggbb")."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode != "RGBA":
        return image.convert("RGB")
    sheet = Image.new("RGBA", image.size, background)
    sheet.alpha_composite(image)
    return sheet.convert("RGB")


def latent_mask(mask: Image.Image, width: int, height: int, *, soft: bool = False) -> NDArray[np.float32]:
    """(height, width) of the latents, 1 where they change and 0 where they stay; between only if `soft`."""
    small = np.asarray(mask.convert("RGB").resize((width, height)), np.float32)[..., 0]
    shares: NDArray[np.float32] = np.divide(small, 255, dtype=np.float32)
    return shares if soft else shares.round()


def composite(image: Image.Image, mask: Image.Image) -> Image.Image:
    """What the mask covers of `image`, cut out: RGBA, transparent elsewhere."""
    cut = Image.new("RGBa", image.size)
    fitted = resize(mask.convert("L"), *image.size, ResizeMode.FILL).convert("L")
    cut.paste(image.convert("RGBA").convert("RGBa"), mask=fitted)
    return cut.convert("RGBA")
