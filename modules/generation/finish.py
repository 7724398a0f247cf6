"""From drawn pictures to results: colours, overlays, masks beside them, and the text inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from modules.checkpoints.bundle import ModelBundle
from modules.generation.always_on import SoftInpainting
from modules.generation.describe import describe
from modules.generation.faces import wants_faces, with_faces
from modules.generation.passes import Drawn
from modules.generation.plan import Batch, PlannedImage
from modules.generation.session import Session
from modules.generation.soft_inpainting import difference_masks, in_place
from modules.generation.source import Prepared
from modules.generation.tools import Tools
from modules.imaging.colours import matched_colours
from modules.imaging.masks import Box, composite, overlay_of, paste_back, uncropped
from modules.terms.result import GeneratedImage, ImageKind

BEFORE_HIRES = "-before-highres-fix"
BEFORE_FACES = "-before-face-restoration"
BEFORE_COLOURS = "-before-color-correction"


def finish(batch: Batch, drawn: Drawn, prepared: Prepared | None, session: Session) -> None:
    """Adds the batch's pictures, finished and described, to the session."""
    model = model_description(session.bundle, session.tools)
    covers = covers_of(prepared, drawn, session)
    faces = wants_faces(session)
    pictures = session.controls.finished(drawn.pictures) if session.controls else drawn.pictures
    for place, (planned, picture) in enumerate(zip(batch.images, pictures, strict=True)):

        def add(image: Image.Image, kind: ImageKind = "sample", suffix: str = "") -> None:
            text = infotext(session, planned, model, place)  # noqa: B023 - called in this turn of the loop
            session.images.append(generated(image, planned, text, kind, suffix, drawn.complete))  # noqa: B023

        cover = covers[place] if covers else None
        if drawn.before:
            add(drawn.before[place], "before", BEFORE_HIRES)
        repaired = with_faces(picture, (batch.index + 1) * session.passes_per_batch, session) if faces else None
        if repaired is not None:
            if session.settings["save_images_before_face_restoration"]:
                add(picture, "before", BEFORE_FACES)
            picture = repaired
        if prepared is not None and prepared.targets:
            if session.settings["save_images_before_color_correction"]:
                add(laid_back(picture, cover), "before", BEFORE_COLOURS)
            picture = matched_colours(picture, prepared.targets[place])
        add(laid_back(picture, cover))
        if cover is not None:
            if session.settings["save_mask"] or session.settings["return_mask"]:
                add(cover.mask.convert("RGB"), "mask", "-mask")
            if session.settings["save_mask_composite"] or session.settings["return_mask_composite"]:
                add(cut_out_of(picture, cover), "mask-composite", "-mask-composite")


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
    if before is None or paint is None:
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


def generated(
    image: Image.Image, planned: PlannedImage, text: str, kind: ImageKind, suffix: str, complete: bool
) -> GeneratedImage:
    return GeneratedImage(
        image, planned.prompt, planned.negative_prompt, planned.seed, planned.subseed, text, kind, suffix, complete
    )


def infotext(session: Session, planned: PlannedImage, model: Mapping[str, Any], place: int) -> str:
    return describe(
        session.request,
        planned,
        session.settings,
        model=model,
        extra=session.extra,
        scripts=session.scripts,
        index=place,
        version=session.tools.version,
    )


def model_description(bundle: ModelBundle, tools: Tools) -> Mapping[str, Any]:
    """The checkpoint and VAE as infotext names them."""
    info = tools.models.library.hashed(bundle.info)
    vae = tools.models.library.hashed_vae(bundle.vae_info) if bundle.vae_info else None
    return {
        "name": info.name_for_extra,
        "hash": info.shorthash,
        "title": info.title,
        "vae_name": vae.name if vae else None,
        "vae_hash": vae.shorthash if vae else None,
        "inpainting": bundle.variant == "inpaint",
        "edit": bundle.variant == "edit",
        "family": bundle.family.name,
    }
