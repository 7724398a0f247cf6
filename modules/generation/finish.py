"""From drawn pictures to results: colours, overlays, masks beside them, and the text inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from modules.checkpoints.bundle import ModelBundle
from modules.generation.cover import covers_of, cut_out_of, laid_back
from modules.generation.describe import describe
from modules.generation.details import with_details
from modules.generation.faces import wants_faces, with_faces
from modules.generation.hooks import Picture
from modules.generation.passes import Drawn
from modules.generation.plan import Batch, PlannedImage
from modules.generation.session import Session
from modules.generation.source import Prepared
from modules.generation.tools import Tools
from modules.imaging.colours import matched_colours
from modules.terms.result import GeneratedImage, ImageKind

BEFORE_HIRES = "-before-highres-fix"
BEFORE_FACES = "-before-face-restoration"
BEFORE_DETAILS = "-ad-before"
BEFORE_COLOURS = "-before-color-correction"


def finish(batch: Batch, drawn: Drawn, prepared: Prepared | None, session: Session) -> None:
    """Adds the batch's pictures, finished and described, to the session."""
    model = model_description(session.bundle, session.tools)
    covers = covers_of(prepared, drawn, session)
    faces = wants_faces(session)
    pictures = session.controls.finished(drawn.pictures) if session.controls else drawn.pictures
    images = batch.images
    if len(pictures) != len(images):
        images = tuple(session.hooks.images_for(batch, len(pictures), session))
    for place, (planned, picture) in enumerate(zip(images, pictures, strict=True)):

        def add(image: Image.Image, kind: ImageKind = "sample", suffix: str = "", complete: bool = True) -> None:
            number = batch.index * session.request.batch_size + place  # noqa: B023 - called in this turn of the loop
            text = infotext(session, planned, model, place, number)  # noqa: B023
            complete = complete and drawn.complete
            session.images.append(generated(image, planned, text, kind, suffix, complete))  # noqa: B023

        # A script may have added pictures that nothing else belongs to.
        cover = covers[place] if place < len(covers or ()) else None
        if place < len(drawn.before):
            add(drawn.before[place], "before", BEFORE_HIRES)
        repaired = with_faces(picture, session.drawn(batch), session) if faces else None
        if repaired is not None:
            if session.settings["save_images_before_face_restoration"]:
                add(picture, "before", BEFORE_FACES)
            picture = repaired
        out = Picture(picture, place)
        session.hooks.picture(out, batch, session)
        picture = out.image
        if prepared is not None and place < len(prepared.targets):
            if session.settings["save_images_before_color_correction"]:
                add(laid_back(picture, cover), "before", BEFORE_COLOURS)
            picture = matched_colours(picture, prepared.targets[place])
        out.image = picture
        if cover is not None:
            out.mask, out.overlay = cover.mask, cover.overlay
            session.hooks.covered(out, batch, session)
            cover = replace(cover, mask=out.mask or cover.mask, overlay=out.overlay)
        out.image = laid_back(out.image, cover)
        session.hooks.composed(out, batch, session)
        whole = out.image
        detailed = with_details(whole, planned, place, batch, session)
        if detailed is not whole and session.settings["ad_save_images_before"]:
            add(whole, "before", BEFORE_DETAILS)
        add(detailed, complete=session.request.detail is None or session.stopped is None)
        if cover is not None:
            if session.settings["save_mask"] or session.settings["return_mask"]:
                add(cover.mask.convert("RGB"), "mask", "-mask")
            if session.settings["save_mask_composite"] or session.settings["return_mask_composite"]:
                add(cut_out_of(picture, cover), "mask-composite", "-mask-composite")


def generated(
    image: Image.Image, planned: PlannedImage, text: str, kind: ImageKind, suffix: str, complete: bool
) -> GeneratedImage:
    return GeneratedImage(
        image, planned.prompt, planned.negative_prompt, planned.seed, planned.subseed, text, kind, suffix, complete
    )


def infotext(session: Session, planned: PlannedImage, model: Mapping[str, Any], place: int, number: int) -> str:
    """The text of a picture at `place` of its batch, `number` of the job."""
    return describe(
        session.request,
        planned,
        session.settings,
        model=model,
        extra=session.extra,
        scripts=session.hooks.said(session, number),
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
        "guidance": bundle.guidance if bundle.blueprint.guided else None,
        "family": bundle.family.name,
        "fp8": bundle.eight_bit,
    }
