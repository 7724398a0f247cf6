"""From drawn pictures to results: colours, overlays, masks beside them, and the text inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from modules.checkpoints.bundle import ModelBundle
from modules.generation.describe import describe
from modules.generation.passes import Drawn
from modules.generation.plan import Batch, PlannedImage
from modules.generation.session import Session
from modules.generation.source import Prepared
from modules.generation.tools import Tools
from modules.imaging.masks import composite, paste_back
from modules.terms.result import GeneratedImage, ImageKind

BEFORE_HIRES = "-before-highres-fix"


def finish(batch: Batch, drawn: Drawn, prepared: Prepared | None, session: Session) -> None:
    """Adds the batch's pictures, finished and described, to the session."""
    model = model_description(session.bundle, session.tools)
    for place, (planned, picture) in enumerate(zip(batch.images, drawn.pictures, strict=True)):

        def add(image: Image.Image, kind: ImageKind = "sample", suffix: str = "") -> None:
            text = infotext(session, planned, model, place)  # noqa: B023 - called in this turn of the loop
            session.images.append(generated(image, planned, text, kind, suffix))  # noqa: B023 - the same

        if drawn.before:
            add(drawn.before[place], "before", BEFORE_HIRES)
        add(laid_back(picture, prepared, place, session))
        if prepared is not None and prepared.region is not None:
            if session.settings["save_mask"] or session.settings["return_mask"]:
                add(prepared.region.overlay, "mask", "-mask")
            if session.settings["save_mask_composite"] or session.settings["return_mask_composite"]:
                add(composite(session.images[-1].image, prepared.region.overlay), "mask-composite", "-mask-composite")


def laid_back(picture: Image.Image, prepared: Prepared | None, place: int, session: Session) -> Image.Image:
    """`picture` with the original around it, where img2img had a mask."""
    if prepared is None or not prepared.overlays or not session.settings["overlay_inpaint"]:
        return picture
    box = prepared.region.box if prepared.region else None
    return paste_back(picture, prepared.overlays[place], box)


def generated(image: Image.Image, planned: PlannedImage, text: str, kind: ImageKind, suffix: str) -> GeneratedImage:
    return GeneratedImage(
        image, planned.prompt, planned.negative_prompt, planned.seed, planned.subseed, text, kind, suffix
    )


def infotext(session: Session, planned: PlannedImage, model: Mapping[str, Any], place: int) -> str:
    return describe(
        session.request,
        planned,
        session.settings,
        model=model,
        extra=session.extra,
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
