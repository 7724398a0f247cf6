"""What made a picture, as the entries of its infotext: which there are, and in which order.

Source: spec/infotext.md §2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from modules.generation.infotext import write
from modules.terms.request import GenerationRequest, Hires, Mask, Source

MASKED_CONTENT = ("fill", "original", "latent noise", "latent nothing")


class Shown(Protocol):
    """One picture's own part of a request: prompts with styles and without comments, and its seeds."""

    @property
    def prompt(self) -> str: ...
    @property
    def negative_prompt(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def subseed(self) -> int: ...
    @property
    def hires_prompt(self) -> str: ...
    @property
    def hires_negative_prompt(self) -> str: ...


def describe(
    request: GenerationRequest,
    image: Shown,
    settings: Mapping[str, Any],
    *,
    model: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    scripts: Mapping[str, Any] | None = None,
    index: int = 0,
    version: str | None = None,
    user: str | None = None,
) -> str:
    """The infotext of picture number `index`. Numbers are written as int or float, as `request` has them.

    settings: those of the job, overrides included.
    model: what was loaded: `name`, `hash` (10 digits), `vae_name`, `vae_hash`, and where they hold `inpainting`,
        `edit` (InstructPix2Pix), `fp8`, `guidance` (the scale that a guidance-distilled model likes).
    extra: what was found out while drawing (Schedule type as used, Eta, Lora hashes, Refiner …), in that order. A key
        that is there already keeps its place; None takes it out (ENSD with a sampler that adds no noise).
        A list holds one value per picture.
    scripts: entries of always-on scripts; they come before those of hires and inpainting.
    version: must not look like a version of A1111, which would be taken for one when the text is read.
    """
    entries = _fixed(request, image, settings, model or {})
    for later in (scripts or {}, _hires(request, image), _inpainting(request, settings), extra or {}):
        for key, value in later.items():
            entries[key] = value[index] if isinstance(value, list) else value
    entries["Version"] = version if settings["add_version_to_infotext"] else None
    entries["User"] = user if settings["add_user_name_to_info"] else None
    return write(image.prompt, image.negative_prompt, entries)


def _fixed(
    request: GenerationRequest, image: Shown, settings: Mapping[str, Any], model: Mapping[str, Any]
) -> dict[str, Any]:
    varied = request.subseed_strength != 0
    resized = request.seed_resize_from_w > 0 and request.seed_resize_from_h > 0
    restores_faces = settings["face_restoration"] if request.restore_faces is None else request.restore_faces
    tiling = settings["tiling"] if request.tiling is None else request.tiling
    img2img = request.source is not None
    clip_skip = settings["CLIP_stop_at_last_layers"]
    fp8 = bool(model.get("fp8"))
    return {
        "Steps": request.steps,
        "Sampler": request.sampler,
        "Schedule type": request.scheduler,
        "CFG scale": request.cfg_scale,
        "Distilled CFG Scale": (request.distilled_cfg_scale or model["guidance"]) if model.get("guidance") else None,
        "Image CFG scale": request.source.image_cfg_scale if request.source and model.get("edit") else None,
        "Seed": image.seed,
        "Face restoration": settings["face_restoration_model"] if restores_faces else None,
        "Size": f"{request.width}x{request.height}",
        "Model hash": model.get("hash") if settings["add_model_hash_to_info"] else None,
        "Model": model.get("name") if settings["add_model_name_to_info"] else None,
        "FP8 weight": settings["fp8_storage"] if fp8 else None,
        "Cache FP16 weight for LoRA": settings["cache_fp16_weight"] if fp8 else None,
        "VAE hash": model.get("vae_hash") if settings["add_vae_hash_to_info"] else None,
        "VAE": model.get("vae_name") if settings["add_vae_name_to_info"] else None,
        "Variation seed": image.subseed if varied else None,
        "Variation seed strength": request.subseed_strength if varied else None,
        "Seed resize from": f"{request.seed_resize_from_w}x{request.seed_resize_from_h}" if resized else None,
        "Denoising strength": request.denoising_strength if img2img or request.hires else None,
        "Conditional mask weight": settings["inpainting_mask_weight"] if model.get("inpainting") else None,
        "Clip skip": clip_skip if clip_skip > 1 else None,
        "ENSD": settings["eta_noise_seed_delta"] or None,
        "Token merging ratio": token_merging_ratio(settings, img2img=img2img) or None,
        "Token merging ratio hr": (token_merging_ratio(settings, hires=True) or None) if request.hires else None,
        "Init image hash": None,
        "RNG": settings["randn_source"] if settings["randn_source"] != "GPU" else None,
        "Tiling": True if tiling else None,
    }


def token_merging_ratio(settings: Mapping[str, Any], *, hires: bool = False, img2img: bool = False) -> float:
    """The share of tokens merged in a pass: what is set for such a pass, else what is set for all."""
    special = settings["token_merging_ratio_hr"] if hires else settings["token_merging_ratio_img2img"] if img2img else 0
    return special or settings["token_merging_ratio"]


def _hires(request: GenerationRequest, image: Shown) -> dict[str, Any]:
    hires: Hires | None = request.hires
    if hires is None:
        return {}
    resized = bool(hires.resize_x or hires.resize_y)
    own_sampler = hires.sampler and hires.sampler != request.sampler
    own_schedule = hires.scheduler and hires.scheduler != request.scheduler
    return {
        "Hires checkpoint": hires.checkpoint or None,
        "Hires sampler": hires.sampler if own_sampler else None,
        "Hires prompt": image.hires_prompt if image.hires_prompt != image.prompt else None,
        "Hires negative prompt": (
            image.hires_negative_prompt if image.hires_negative_prompt != image.negative_prompt else None
        ),
        "Hires schedule type": hires.scheduler if own_schedule else None,
        "Hires upscale": None if resized else hires.scale,
        "Hires resize": f"{hires.resize_x}x{hires.resize_y}" if resized else None,
        "Hires steps": hires.steps or None,
        "Hires upscaler": hires.upscaler or None,
    }


def _inpainting(request: GenerationRequest, settings: Mapping[str, Any]) -> dict[str, Any]:
    source: Source | None = request.source
    if source is None:
        return {}
    mask: Mask | None = source.mask
    entries: dict[str, Any] = {}
    if mask is not None:
        blurred = mask.blur_x > 0 or mask.blur_y > 0
        entries = {
            "Mask mode": "Inpaint not masked" if mask.invert else None,
            "Mask blur": mask.blur_x if blurred and mask.blur_x == mask.blur_y else None,
            "Inpaint area": "Only masked" if mask.only_masked else None,
            "Masked area padding": mask.padding if mask.only_masked else None,
            "Masked content": MASKED_CONTENT[mask.fill] if mask.fill != 1 else None,
        }
    multiplier = source.initial_noise_multiplier
    multiplier = settings["initial_noise_multiplier"] if multiplier is None else multiplier
    entries["Noise multiplier"] = multiplier if multiplier != 1 else None
    return entries
