"""`alwayson_scripts.controlnet.args` -> ControlUnit: every spelling that the ControlNet extension has understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image
from pydantic import Field, ValidationError

from modules.control.library import ControlLibrary
from modules.control.preprocessors import PREPROCESSORS
from modules.sdapi.images import read_image
from modules.sdapi.needs import Studio
from modules.sdapi.schemas import Body
from modules.terms.control import (
    BALANCED,
    BOTH_PASSES,
    CONTROL_MODES,
    CROP,
    FILL,
    HIRES_OPTIONS,
    NONE,
    RESIZE_MODES,
    STRETCH,
    ControlUnit,
)
from modules.terms.declare import params_of
from modules.terms.errors import BadRequest
from modules.terms.registry import nearest

SCRIPT = "controlnet"
# Names of fields in older versions of the extension, and in Forge.
OLD_FIELDS = {
    "input_image": "image",
    "mask_image": "mask",
    "lowvram": "low_vram",
    "guidance": "guidance_end",
}
OLD_RESIZE_MODES = {
    "Inner Fit (Scale to Fit)": CROP,
    "Scale to Fit (Inner Fit)": CROP,
    "Outer Fit (Shrink to Fit)": FILL,
    "Envelope (Outer Fit)": FILL,
    "Just Resize (Latent upscale)": STRETCH,
}


class ControlUnitBody(Body):
    enabled: bool | None = None
    module: str = "none"
    model: str = NONE
    weight: float = Field(1.0, ge=0, le=2)
    image: str | dict[str, Any] | list[Any] | None = Field(None, description="base64, or with its mask")
    mask: str | None = None
    resize_mode: int | str = CROP
    low_vram: bool = False
    processor_res: int | float = -1
    threshold_a: float = -1
    threshold_b: float = -1
    guidance_start: float = Field(0.0, ge=0, le=1)
    guidance_end: float = Field(1.0, ge=0, le=1)
    pixel_perfect: bool = False
    control_mode: int | str = BALANCED
    inpaint_crop_input_image: bool = True
    hr_option: int | str = BOTH_PASSES
    save_detected_map: bool = True
    advanced_weighting: list[float] | None = None
    effective_region_mask: str | None = None


def is_controlnet(script: str) -> bool:
    """Whether an always-on script's name means ControlNet."""
    return script.strip().lower() == SCRIPT


def control_units(
    scripts: Mapping[str, Any], studio: Studio, pasted: Mapping[int, ControlUnit], *, from_picture: bool
) -> tuple[ControlUnit, ...]:
    """The units that are switched on.

    pasted: those of the request's infotext, by number. They fill what a unit of that number does not say; where the
    request has no units they count as they are, which only works `from_picture`, since a text holds none.
    Raises: BadRequest, NotFound naming the nearest that is right.
    """
    units = []
    named = [name for name in scripts if is_controlnet(name)]
    if pasted and not named:
        if not from_picture:
            raise BadRequest(
                "The infotext names ControlNet units, whose pictures a text does not hold. Send them as "
                'alwayson_scripts.controlnet.args: [{"image": base64}, ...], or an empty list to draw without them.'
            )
        units = [ControlUnitBody.model_validate({**fields_of(one), "enabled": True}) for one in pasted.values()]
    for name, value in scripts.items():
        if name in named:
            args = value.get("args", []) if isinstance(value, dict) else None
            if not isinstance(args, (list, dict)):
                raise BadRequest(f"alwayson_scripts[{name!r}] must be an object with a list of args.")
            # Old clients send a few switches before the units.
            given = [one for one in (args.values() if isinstance(args, dict) else args) if isinstance(one, dict)]
            filled = [{**fields_of(pasted.get(number)), **one} for number, one in enumerate(given)]
            units += [read_unit(one, number) for number, one in enumerate(filled)]
    return tuple(control_unit(unit, studio.control_files, studio) for unit in units if is_on(unit))


def fields_of(unit: ControlUnit | None) -> dict[str, Any]:
    """What a unit of a text says, as a client would send it; nothing for None."""
    if unit is None:
        return {}
    declared = params_of(ControlUnit).items()
    return {param.key: getattr(unit, name) for name, param in declared if param.infotext}


def read_unit(given: Mapping[str, Any], number: int) -> ControlUnitBody:
    """One unit's fields. Raises: BadRequest."""
    known = {OLD_FIELDS.get(name, name): value for name, value in given.items()}
    try:
        return ControlUnitBody.model_validate(known)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'][:1]))}: {one['msg']}" for one in error.errors()[:3])
        raise BadRequest(f"ControlNet unit {number}: {wrong}.") from error


def is_on(unit: ControlUnitBody) -> bool:
    """Units are on unless they say otherwise; one that says nothing at all only fills a place."""
    if unit.enabled is None:
        return unit.model != NONE or unit.image is not None
    return unit.enabled


def control_unit(body: ControlUnitBody, library: ControlLibrary, studio: Studio) -> ControlUnit:
    preprocessor = PREPROCESSORS[body.module]
    preprocessor.check()
    named = body.model not in ("", NONE, "none")
    if not named and not preprocessor.lends_look:
        raise BadRequest("A ControlNet unit is on, but names no model. Choose one, or send enabled: false.")
    image, mask = pictures(body, studio)
    region = body.effective_region_mask
    unit = ControlUnit(
        module=body.module,
        model=NONE if preprocessor.lends_look else library.find(body.model).title,
        weight=body.weight,
        image=image,
        mask=mask,
        region=read_image(region, studio.settings).convert("L") if region else None,
        resize_mode=one_of("resize_mode", RESIZE_MODES, body.resize_mode, OLD_RESIZE_MODES),
        processor_res=int(body.processor_res) if body.processor_res > 0 else -1,
        threshold_a=body.threshold_a,
        threshold_b=body.threshold_b,
        guidance_start=body.guidance_start,
        guidance_end=body.guidance_end,
        pixel_perfect=body.pixel_perfect,
        control_mode=one_of("control_mode", CONTROL_MODES, body.control_mode),
        low_vram=body.low_vram,
        hires_option=one_of("hr_option", HIRES_OPTIONS, body.hr_option),
        crop_to_mask=body.inpaint_crop_input_image,
        save_detected_map=body.save_detected_map,
        layer_weights=tuple(body.advanced_weighting) if body.advanced_weighting else None,
    )
    unit.check()
    return unit


def pictures(body: ControlUnitBody, studio: Studio) -> tuple[Image.Image | None, Image.Image | None]:
    """(picture, mask) of a unit: base64, {image, mask}, [image, mask] or a list of one such object."""
    given: Any = body.image
    mask = body.mask
    if isinstance(given, list):
        if len(given) == 1:
            (given,) = given
        elif len(given) == 2 and not any(isinstance(one, dict) for one in given):
            given = {"image": given[0], "mask": given[1]}
        else:
            raise BadRequest(f"A ControlNet unit takes one picture, not {len(given)}. Send a unit for each.")
    if isinstance(given, dict):
        given, mask = given.get("image"), given.get("mask") or mask
    read = [_read(one, studio) for one in (given, mask)]
    return read[0], read[1].convert("L") if read[1] else None


def _read(text: object, studio: Studio) -> Image.Image | None:
    if not text:
        return None
    if not isinstance(text, str):
        raise BadRequest("The picture of a ControlNet unit must be base64 text.")
    return read_image(text, studio.settings)


def one_of(field: str, labels: Sequence[str], given: int | str, old: Mapping[str, str] | None = None) -> str:
    """The label that a number or a label means. Raises: BadRequest naming the nearest."""
    if isinstance(given, int):
        if 0 <= given < len(labels):
            return labels[given]
        if field == "resize_mode" and given == len(labels):
            return labels[0]  # img2img has a fourth mode, which clients pass on
    else:
        found = (old or {}).get(given) or next((one for one in labels if one.lower() == given.strip().lower()), None)
        if found:
            return found
    close = nearest(str(given), labels)
    hint = f" Did you mean {close!r}?" if close else ""
    raise BadRequest(f"{field} is {given!r}, but must be one of {', '.join(labels)}.{hint}")
