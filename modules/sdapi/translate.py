"""JSON of A1111's API -> GenerationRequest: everything is checked here, so that a job in the queue can be run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from PIL import Image

from modules.generation.always_on import check_scripts
from modules.generation.control_texts import units_in
from modules.generation.detail_texts import units_from
from modules.generation.infotext import parse
from modules.generation.sampler_names import SamplerNames
from modules.sdapi.control_units import control_units, is_controlnet
from modules.sdapi.detail_units import detail_pass, is_adetailer
from modules.sdapi.images import read_image
from modules.sdapi.needs import Studio
from modules.sdapi.pasting import filled_from_infotext
from modules.sdapi.schemas import GenerationBody, Img2ImgBody, Txt2ImgBody
from modules.sdapi.script_values import script_values
from modules.settings.store import Settings
from modules.terms.detail import DetailPass
from modules.terms.errors import BadRequest, NotFound
from modules.terms.registry import nearest
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

# What A1111's page offers for "as in the first pass"; clients and infotexts send it back.
SAME = frozenset({"", "Use same sampler", "Use same scheduler", "Use same checkpoint"})
HIRES_DENOISING = 0.7
A1111_FALLBACK = "DPM++ 2M"
# What clients send that have no list of schedules to choose from.
NO_SCHEDULE = frozenset({"N/A", "None", "none"})
# Always-on scripts that A1111's page is made of: a request has fields for what they say, and their arguments are
# passed over, there as here. The last two are settings.
OF_THE_PAGE = frozenset({"sampler", "seed", "refiner", "extra options", "comments", "hypertile"})
IMAGE_CFG_SCALE = 1.5

T = TypeVar("T", bound=GenerationBody)


def txt2img_request(body: Txt2ImgBody, studio: Studio) -> GenerationRequest:
    """What the body asks for. Raises: BadRequest, NotFound naming what is wrong and the nearest that is right."""
    body, pasted = _completed(body, studio)
    request = _shared(body, studio, pasted)
    if body.firstpass_image:
        # A1111 takes a picture, but its API hands on the text and fails; clients that send one mean this.
        strength = HIRES_DENOISING if body.denoising_strength is None else body.denoising_strength
        picture = read_image(body.firstpass_image, studio.settings)
        hires = dataclasses.replace(_hires(body), picture=picture)
        request = request.with_(
            hires=hires, denoising_strength=strength, width=max(64, picture.width), height=max(64, picture.height)
        )
    elif body.enable_hr:
        strength = HIRES_DENOISING if body.denoising_strength is None else body.denoising_strength
        request = request.with_(hires=_hires(body), denoising_strength=strength)
        if body.firstphase_width or body.firstphase_height:
            # Before A1111 1.0 width and height were the final size, these the first.
            request = request.with_(
                hires=_hires(body, (body.width, body.height)),
                width=body.firstphase_width or body.width,
                height=body.firstphase_height or body.height,
            )
    request.check()
    return request


def img2img_request(body: Img2ImgBody, studio: Studio) -> GenerationRequest:
    """What the body asks for. Raises: NotFound without init_images, BadRequest for broken pictures and wrong values."""
    if not body.init_images:
        raise NotFound("Init image not found: send init_images, a list of base64 pictures.")
    body, pasted = _completed(body, studio)
    images = tuple(read_image(text, studio.settings) for text in body.init_images or ())
    if len(images) > max(1, body.batch_size):
        raise BadRequest(f"{len(images)} init_images need a batch_size of at least {len(images)}.")
    source = Source(
        images=images,
        resize_mode=body.resize_mode,
        mask=_mask(body, read_image(body.mask, studio.settings)) if body.mask else None,
        image_cfg_scale=IMAGE_CFG_SCALE if body.image_cfg_scale is None else body.image_cfg_scale,
        initial_noise_multiplier=body.initial_noise_multiplier,
    )
    request = _shared(body, studio, pasted).with_(source=source, denoising_strength=body.denoising_strength)
    request.check()
    return request


def _completed(body: T, studio: Studio) -> tuple[T, Mapping[str, Any]]:
    """The body with what its infotext says of fields that it does not set, and the settings that infotext names."""
    if not body.infotext:
        return body, {}
    return filled_from_infotext(body, body.infotext, studio)


def _shared(body: GenerationBody, studio: Studio, pasted: Mapping[str, Any]) -> GenerationRequest:
    sampler, scheduler = resolve_sampler(body.sampler_name or body.sampler_index, body.scheduler or "")
    refiner = None
    if body.refiner_checkpoint and body.refiner_switch_at is not None:
        refiner = Refiner(body.refiner_checkpoint, body.refiner_switch_at)
    return GenerationRequest(
        prompt=body.prompt,
        negative_prompt=body.negative_prompt,
        styles=_known_styles(body.styles or (), studio),
        steps=body.steps,
        sampler=sampler,
        scheduler=scheduler,
        cfg_scale=body.cfg_scale,
        distilled_cfg_scale=body.distilled_cfg_scale,
        seed=body.seed,
        subseed=body.subseed,
        subseed_strength=body.subseed_strength,
        seed_resize_from_w=body.seed_resize_from_w,
        seed_resize_from_h=body.seed_resize_from_h,
        width=body.width,
        height=body.height,
        batch_size=body.batch_size,
        n_iter=body.n_iter,
        restore_faces=body.restore_faces,
        tiling=body.tiling,
        eta=body.eta,
        s_churn=body.s_churn,
        s_tmin=body.s_tmin,
        s_tmax=body.s_tmax,
        s_noise=body.s_noise,
        s_min_uncond=body.s_min_uncond,
        refiner=refiner,
        disable_extra_networks=body.disable_extra_networks,
        settings=checked_overrides({**pasted, **(body.override_settings or {})}, studio.settings),
        script=_script(body, studio),
        controls=control_units(
            _for_us(body.alwayson_scripts, studio),
            studio,
            units_in(parse(body.infotext)) if body.infotext else {},
            from_picture=isinstance(body, Img2ImgBody),
        ),
        detail=_detail(body, studio),
        scripts=script_arguments(body.alwayson_scripts, studio),
    )


def resolve_sampler(sampler: str, scheduler: str) -> tuple[str, str]:
    """Labels of the sampler and the schedule.

    A label may carry a schedule at its end ("DPM++ 2M Karras"). A1111's API knows labels only; its aliases
    ("k_euler_a") give DPM++ 2M there, and old requests shall give the same picture here.
    Raises: NotFound naming the nearest for names that are neither.
    """
    names = SamplerNames()
    scheduler = "" if scheduler in NO_SCHEDULE else scheduler
    label, schedule = names.resolve(sampler or "Euler", scheduler, automatic=False)
    if sampler and sampler != label and not sampler.startswith(f"{label} "):
        label = A1111_FALLBACK
    return names.resolve(label, schedule)


def checked_overrides(overrides: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """`overrides` as the settings take them. Raises: BadRequest for unknown keys and wrong values, Refused."""
    try:
        with_them = settings.with_flat(overrides)
    except NotFound as error:
        raise BadRequest(str(error)) from error
    return {key: with_them[key] for key in overrides}


def _known_styles(names: Iterable[str | None], studio: Studio) -> tuple[str, ...]:
    # A1111 passes over names that it does not know; clients send styles that were renamed since.
    known = {style.name for style in studio.styles.styles}
    return tuple(name for name in names if name is not None and name in known)


def _hires(body: Txt2ImgBody, target: tuple[int, int] | None = None) -> Hires:
    width, height = target or (body.hr_resize_x, body.hr_resize_y)
    sampler, scheduler = _same(body.hr_sampler_name), _same(body.hr_scheduler)
    if sampler:
        sampler, own = resolve_sampler(sampler, scheduler)
        scheduler = own if own != "Automatic" else scheduler
    elif scheduler:
        _, scheduler = resolve_sampler("Euler", scheduler)
    return Hires(
        scale=body.hr_scale,
        upscaler=body.hr_upscaler or "Latent",
        steps=body.hr_second_pass_steps,
        resize_x=width,
        resize_y=height,
        checkpoint=_same(body.hr_checkpoint_name),
        sampler=sampler,
        scheduler=scheduler,
        prompt=body.hr_prompt,
        negative_prompt=body.hr_negative_prompt,
    )


def _same(name: str | None) -> str:
    return "" if name is None or name in SAME else name


def _mask(body: Img2ImgBody, image: Image.Image) -> Mask:
    return Mask(
        image=grey_mask(image),
        blur_x=body.mask_blur_x if body.mask_blur is None else body.mask_blur,
        blur_y=body.mask_blur_y if body.mask_blur is None else body.mask_blur,
        invert=bool(body.inpainting_mask_invert),
        fill=body.inpainting_fill,
        only_masked=body.inpaint_full_res,
        padding=body.inpaint_full_res_padding,
        round=body.mask_round,
    )


def grey_mask(image: Image.Image) -> Image.Image:
    """The mask as white on black (L): the alpha channel where it says something, the brightness otherwise."""
    if image.mode in ("RGBA", "LA", "PA") and image.getchannel("A").getextrema() != (255, 255):
        return image.getchannel("A")
    return image.convert("L")


def _script(body: GenerationBody, studio: Studio) -> tuple[str, tuple[Any, ...]] | None:
    if not body.script_name:
        return None
    return selected_script(body.script_name, body.script_args, studio, img2img=isinstance(body, Img2ImgBody))


def selected_script(
    name: str, given: Sequence[Any] | Mapping[str, Any], studio: Studio, *, img2img: bool
) -> tuple[str, tuple[Any, ...]]:
    """The script's own spelling, and its arguments by place. Raises: BadRequest naming what is wrong."""
    title = script_title(name, studio, always_on=False)
    rows = [row for row in studio.details("scripts") if row["name"] == title]
    row = next((row for row in rows if row.get("is_img2img") == img2img), rows[0])
    return title, script_values(given, title, row.get("args") or ())


def script_arguments(given: Mapping[str, Any], studio: Studio) -> dict[str, tuple[Any, ...]]:
    """Arguments of always-on scripts by their own titles. Raises: BadRequest naming what is wrong."""
    scripts: dict[str, tuple[Any, ...]] = {}
    ours = _for_us(given, studio)
    for name, value in given.items():
        if name in ours and (is_controlnet(name) or is_adetailer(name)):
            continue
        args = value.get("args", []) if isinstance(value, dict) else None
        if not isinstance(args, (list, dict)):
            raise BadRequest(f"alwayson_scripts[{name!r}] must be an object with a list of args.")
        if name in ours and name.strip().lower() in OF_THE_PAGE:
            continue
        scripts[script_title(name, studio, always_on=True)] = tuple(args.values() if isinstance(args, dict) else args)
    check_scripts(scripts)
    return scripts


def _detail(body: GenerationBody, studio: Studio) -> DetailPass | None:
    """The detail pass that the body asks for, or its infotext where the body says nothing of one."""
    ours = _for_us(body.alwayson_scripts, studio)
    if body.infotext and not any(is_adetailer(name) for name in body.alwayson_scripts):
        units, _ = units_from(parse(body.infotext, settings=studio.settings))
        return DetailPass(units) if units else None
    return detail_pass(ours)


def _for_us(given: Mapping[str, Any], studio: Studio) -> Mapping[str, Any]:
    """Those of `given` that mean no script of an extension: where one is installed, it gets what bears its name."""
    if not given:
        return given
    theirs = {str(row["name"]).lower() for row in studio.details("scripts") if row.get("extension")}
    return {name: value for name, value in given.items() if name.strip().lower() not in theirs}


def script_title(name: str, studio: Studio, *, always_on: bool) -> str:
    """The script's own spelling. Raises: BadRequest if there is none, or it is of the other kind."""
    rows = {str(row["name"]).lower(): row for row in studio.details("scripts")}
    row = rows.get(name.lower())
    if row is None:
        close = nearest(name, rows)
        raise BadRequest(f"Script {name!r} not found." + (f" Did you mean {close!r}?" if close else ""))
    if bool(row["is_alwayson"]) != always_on:
        raise BadRequest(
            f"{name!r} is a selectable script: send it as script_name, not in alwayson_scripts."
            if always_on
            else f"{name!r} is always on: send its arguments in alwayson_scripts, not as script_name."
        )
    return str(row["name"])
