"""Between a frozen request and `p`, the draft that scripts change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from modules.a1111.bound import bound
from modules.generation.describe import describe
from modules.generation.plan import PlannedImage
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

# What has the same meaning on both sides: name on p -> field of the request.
SAME = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "seed": "seed",
    "subseed": "subseed",
    "subseed_strength": "subseed_strength",
    "seed_resize_from_w": "seed_resize_from_w",
    "seed_resize_from_h": "seed_resize_from_h",
    "batch_size": "batch_size",
    "n_iter": "n_iter",
    "steps": "steps",
    "cfg_scale": "cfg_scale",
    "width": "width",
    "height": "height",
    "restore_faces": "restore_faces",
    "tiling": "tiling",
    "eta": "eta",
    "denoising_strength": "denoising_strength",
    "s_min_uncond": "s_min_uncond",
    "s_churn": "s_churn",
    "s_tmax": "s_tmax",
    "s_tmin": "s_tmin",
    "s_noise": "s_noise",
    "disable_extra_networks": "disable_extra_networks",
}
HIRES = {
    "hr_scale": "scale",
    "hr_upscaler": "upscaler",
    "hr_second_pass_steps": "steps",
    "hr_resize_x": "resize_x",
    "hr_resize_y": "resize_y",
    "hr_checkpoint_name": "checkpoint",
    "hr_sampler_name": "sampler",
    "hr_scheduler": "scheduler",
    "hr_prompt": "prompt",
    "hr_negative_prompt": "negative_prompt",
}
SAME_AS_FIRST = frozenset({None, "", "Use same sampler", "Use same scheduler", "Use same checkpoint"})
WHOLE = frozenset({"seed", "subseed", "batch_size", "n_iter", "steps", "width", "height"})


def draft_of(request: GenerationRequest, **more: Any) -> Any:
    """`p` for `request`: what A1111 would hand to scripts."""
    from modules.processing import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img

    shared = {name: getattr(request, own) for name, own in SAME.items()}
    shared |= {"styles": list(request.styles), "sampler_name": request.sampler, "scheduler": request.scheduler}
    shared |= {"override_settings": dict(request.settings), "request": request, "sd_model": model_facade()}
    settings = bound().settings
    shared["outpath_samples"], shared["outpath_grids"] = outpaths(request, settings)
    if request.refiner:
        shared["refiner_checkpoint"] = request.refiner.checkpoint
        shared["refiner_switch_at"] = request.refiner.switch_at
    if request.source is not None:
        return StableDiffusionProcessingImg2Img(**shared, **from_source(request.source), **more)
    hires = request.hires
    values = {name: getattr(hires, own) for name, own in HIRES.items()} if hires else {}
    return StableDiffusionProcessingTxt2Img(**shared, enable_hr=hires is not None, **values, **more)


def outpaths(request: GenerationRequest, settings: Mapping[str, Any]) -> tuple[str, str]:
    """The folders of a request's pictures and grids, as the settings have them."""
    folder = "img2img" if request.source else "txt2img"
    samples = settings["outdir_samples"] or settings[f"outdir_{folder}_samples"]
    return samples, settings["outdir_grids"] or settings[f"outdir_{folder}_grids"]


def from_source(source: Source) -> dict[str, Any]:
    """The fields of img2img's `p`."""
    values: dict[str, Any] = {
        "init_images": list(source.images),
        "resize_mode": source.resize_mode,
        "image_cfg_scale": source.image_cfg_scale,
        "initial_noise_multiplier": source.initial_noise_multiplier,
    }
    mask = source.mask
    if mask is not None:
        values |= {
            "mask": mask.image,
            "mask_blur_x": mask.blur_x,
            "mask_blur_y": mask.blur_y,
            "mask_round": mask.round,
            "inpainting_fill": mask.fill,
            "inpaint_full_res": mask.only_masked,
            "inpaint_full_res_padding": mask.padding,
            "inpainting_mask_invert": int(mask.invert),
        }
    return values


def request_of(p: Any) -> GenerationRequest:
    """What `p` asks for as it stands; parts that `p` does not know (ControlNet, details) are as in its request."""
    base: GenerationRequest = p.request
    values = {own: getattr(p, name) for name, own in SAME.items()}
    for name in ("prompt", "negative_prompt", "seed", "subseed"):
        if isinstance(values[name], (list, tuple)):
            values[name] = values[name][0]
    values = {name: int(value) if name in WHOLE and value is not None else value for name, value in values.items()}
    for name in ("seed_resize_from_w", "seed_resize_from_h"):
        values[name] = max(0, int(values[name] or 0))
    if p.sampler_name:
        values["sampler"] = sampler_of(p)
    values["scheduler"] = p.scheduler or "Automatic"
    values["styles"] = tuple(p.styles or ())
    values["source"], values["hires"] = _source(p), _hires(p)
    values["refiner"] = _refiner(p)
    if values["source"] is None and values["hires"] is None:
        values["denoising_strength"] = base.denoising_strength
    values["settings"] = {**base.settings, **_overrides(p)}
    if p.override_settings.get("sd_model_checkpoint") not in (None, base.settings.get("sd_model_checkpoint")):
        values["checkpoint"] = None  # A script chose another one than the request.
    return base.with_(**values)


def sampler_of(p: Any) -> str:
    """The studio's sampler behind `p.sampler_name`, which an extension may have made up."""
    from modules import sd_samplers

    data = sd_samplers.all_samplers_map.get(p.sampler_name)
    if data is None:
        return str(p.sampler_name)
    if data.base is None:
        sd_samplers.create_sampler(p.sampler_name, p.sd_model)  # finds out what it is made of
    return str(data.base or p.sampler_name)


def _overrides(p: Any) -> Mapping[str, Any]:
    work = bound().work
    catalogue = bound().studio.settings.catalogue
    asked = {**(work.overrides if work else {}), **p.override_settings}
    return {key: value for key, value in asked.items() if key in catalogue}


def _hires(p: Any) -> Hires | None:
    if not getattr(p, "enable_hr", False):
        return None
    values = {own: getattr(p, name) for name, own in HIRES.items()}
    for own in ("checkpoint", "sampler", "scheduler"):
        values[own] = "" if values[own] in SAME_AS_FIRST else values[own]
    values["upscaler"] = values["upscaler"] or "Latent"
    before = p.request.hires or Hires()
    return dataclasses.replace(before, **{name: value for name, value in values.items() if value is not None})


def _refiner(p: Any) -> Refiner | None:
    if p.refiner_checkpoint in (None, "", "None", "none"):
        return None
    switch_at = 0.8 if p.refiner_switch_at is None else p.refiner_switch_at
    return Refiner(str(p.refiner_checkpoint), switch_at)


def _source(p: Any) -> Source | None:
    if not hasattr(p, "init_images"):
        return None
    before = p.request.source or Source(())
    mask = None
    if p.image_mask is not None:
        own = before.mask or Mask(p.image_mask)
        image = p.image_mask if p.image_mask.mode == "L" else p.image_mask.convert("L")
        mask = dataclasses.replace(
            own,
            image=image,
            blur_x=p.mask_blur_x,
            blur_y=p.mask_blur_y,
            fill=p.inpainting_fill,
            only_masked=bool(p.inpaint_full_res),
            padding=int(p.inpaint_full_res_padding or 0),
            invert=bool(p.inpainting_mask_invert),
            round=p.mask_round,
        )
    return dataclasses.replace(
        before,
        images=tuple(p.init_images),
        resize_mode=p.resize_mode,
        mask=mask,
        colours=tuple(p.color_corrections or before.colours),
        image_cfg_scale=before.image_cfg_scale if p.image_cfg_scale is None else p.image_cfg_scale,
        initial_noise_multiplier=p.initial_noise_multiplier,
    )


def infotext_of(
    p: Any,
    all_prompts: Any,
    all_seeds: Any,
    all_subseeds: Any,
    all_negative_prompts: Any,
    place: int,
    use_main_prompt: bool,
) -> str:
    """The text of picture number `place` of `p`."""

    def at(values: Any, default: Any) -> Any:
        return values[min(place, len(values) - 1)] if values else default

    request = request_of(p)
    negatives = all_negative_prompts or p.all_negative_prompts
    prompt = p.main_prompt if use_main_prompt else at(all_prompts, request.prompt)
    negative = p.main_negative_prompt if use_main_prompt else at(negatives, request.negative_prompt)
    image = PlannedImage(
        prompt=prompt,
        negative_prompt=negative or "",
        seed=at(all_seeds, request.seed),
        subseed=at(all_subseeds, request.subseed),
        hires_prompt=at(getattr(p, "all_hr_prompts", None), prompt),
        hires_negative_prompt=at(getattr(p, "all_hr_negative_prompts", None), negative or ""),
    )
    model = {"name": getattr(p, "sd_model_name", None), "hash": getattr(p, "sd_model_hash", None)}
    settings = bound().settings.with_flat(request.settings)
    return describe(
        request, image, settings, model=model, scripts=said(p, place), version=bound().studio.infotext_version
    )


def said(p: Any, place: int = 0) -> dict[str, Any]:
    """What scripts add to the text. A value may be a list with one entry per picture, or be worked out by a call."""
    entries = {}
    for key, value in p.extra_generation_params.items():
        if callable(value):
            value = value(
                p=p,
                all_prompts=p.all_prompts,
                all_negative_prompts=p.all_negative_prompts,
                all_seeds=p.all_seeds,
                all_subseeds=p.all_subseeds,
                comments=None,
                iteration=p.iteration,
                position_in_batch=place - p.iteration * p.batch_size,
                use_main_prompt=False,
                index=place,
            )
        elif isinstance(value, list):
            value = value[place] if place < len(value) else None
        entries[key] = value
    return entries


def request_in_job() -> GenerationRequest:
    """What a `p` asks for that an extension makes: like the job, it draws with the job's checkpoint and overrides."""
    work = bound().work
    if work is None or not isinstance(work.job.request, GenerationRequest):
        return GenerationRequest()
    return GenerationRequest(checkpoint=work.job.request.checkpoint, settings=work.job.request.settings)


def model_facade() -> Any:
    """The model as `p.sd_model`; it loads nothing by itself."""
    from modules import shared

    return shared.sd_model
