"""What a mask covers, and how it is filled, under A1111's names."""

from __future__ import annotations

from PIL import Image

from modules.a1111.missing import refusing
from modules.imaging import masks


def get_crop_region_v2(mask, pad=0):
    """The box of what is not black, `pad` larger; None for a black mask."""
    image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
    return masks.padded_box(image, int(pad))


def get_crop_region(mask, pad=0):
    """As `get_crop_region_v2`; for a black mask a box that is turned inside out, as A1111 always gave."""
    image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
    return masks.padded_box(image, int(pad)) or (
        max(image.width - pad, 0),
        max(image.height - pad, 0),
        min(pad, image.width),
        min(pad, image.height),
    )


def expand_crop_region(crop_region, processing_width, processing_height, image_width, image_height):
    """The box grown to the proportions that are drawn, inside the picture."""
    return masks.expanded_box(crop_region, processing_width, processing_height, image_width, image_height)


def fill(image, mask):
    """RGB; what the mask covers takes the colours around it."""
    return masks.filled(image, mask)


__getattr__ = refusing("modules.masking")
