"""How the original covers what was drawn over a part of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from modules.generation.always_on import SoftInpainting
from modules.generation.passes import Drawn
from modules.generation.session import Session
from modules.generation.soft_inpainting import difference_masks, in_place
from modules.generation.source import Prepared
from modules.imaging.masks import Box, composite, overlay_of, paste_back, uncropped


@dataclass(frozen=True)
class Cover:
    """How the original covers one result. `overlay`: RGBA, None to leave the result bare. `mask` (L): white where the
    result shows. `box`: where the result belongs in the original; None: it is as large."""

    overlay: Image.Image | None
    mask: Image.Image
    box: Box | None = None


def covers_of(prepared: Prepared | None, drawn: Drawn, session: Session) -> list[Cover]:
    """The covers of a batch's pictures, where img2img had a mask; else none."""
    if prepared is None or prepared.region is None:
        return []
    box = prepared.region.box
    covers = [Cover(overlay, prepared.region.overlay, box) for overlay in prepared.overlays]
    if prepared.soft is not None:
        covers = softened(prepared, prepared.soft, drawn, box)
    if session.settings["overlay_inpaint"]:
        return covers
    return [replace(cover, overlay=None) for cover in covers]


def softened(prepared: Prepared, soft: SoftInpainting, drawn: Drawn, box: Box | None) -> list[Cover]:
    """Covers that leave open what differs from the original, instead of what the mask says."""
    before, paint = prepared.start.latents, prepared.start.paint
    if before is None or paint is None or drawn.latents is None:
        return []
    masks = difference_masks(soft, before, drawn.latents, paint, drawn.pictures[0].size)
    placed = [in_place(mask, original.size, box) for mask, original in zip(masks, prepared.originals, strict=True)]
    return [
        Cover(overlay_of(original, mask), mask, box) for original, mask in zip(prepared.originals, placed, strict=True)
    ]


def laid_back(picture: Image.Image, cover: Cover | None) -> Image.Image:
    """`picture` with the original around it."""
    if cover is None or cover.overlay is None:
        return picture
    return paste_back(picture, cover.overlay, cover.box)


def cut_out_of(picture: Image.Image, cover: Cover) -> Image.Image:
    """What was repainted, before the original was laid over it; transparent elsewhere."""
    if cover.overlay is not None:
        picture = uncropped(picture, cover.overlay.size, cover.box)
    return composite(picture, cover.mask)
