"""Masks, overlays and colours of pictures."""

from __future__ import annotations


def create_binary_mask(image, round=True):
    """A mask (L) from a picture: its alpha where that says something, else its brightness."""
    if image.mode == "RGBA" and image.split()[-1].getextrema() != (255, 255):
        mask = image.split()[-1].convert("L")
        return mask.point(lambda value: 255 if value > 128 else 0) if round else mask
    return image.convert("L")


def setup_color_correction(image):
    return image.copy()


def apply_color_correction(correction, original_image):
    from modules.imaging.colours import matched_colours

    return matched_colours(original_image, correction)


def uncrop(image, dest_size, paste_loc):
    from modules.imaging.masks import uncropped

    return uncropped(image, dest_size, paste_loc)


def apply_overlay(image, paste_loc, overlay):
    """`image` with `overlay` over it, and as it was before."""
    if overlay is None:
        return image, image.copy()
    from PIL import Image

    if paste_loc is not None:
        x, y, width, height = paste_loc
        base = Image.new("RGBA", (overlay.width, overlay.height))
        base.paste(image.resize((width, height), Image.Resampling.LANCZOS), (x, y))
        image = base
    before = image.copy()
    image = image.convert("RGBA")
    image.alpha_composite(overlay)
    return image.convert("RGB"), before
