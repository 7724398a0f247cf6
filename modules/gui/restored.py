"""A request -> values of the form that it could have come from: the way back of request.py and img2img_request.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any

from PIL import Image

from modules.generation.always_on import options_from
from modules.gui import paste
from modules.gui.batch_mode import FOLDER, UPLOAD
from modules.gui.control_values import CONTROLS
from modules.gui.img2img_request import AREAS, MASK_MODES, MASKED_CONTENT, RESIZE_MODES, SIZE_BY_PICTURE
from modules.gui.part_values import SCRIPTS, SKIP, values_of_details
from modules.settings.store import Settings
from modules.terms.control import ControlUnit
from modules.terms.declare import params_of
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

# What a component holds for a picture that was put where uploads lie: see canvas.py.
File = dict[str, Any]
PARTS: Mapping[str, type] = {"hires": Hires, "refiner": Refiner}


def values_of(
    asked: GenerationRequest | PictureBatch, settings: Settings, keep: Callable[[Image.Image], File]
) -> dict[str, Any]:
    """Values by field name, pictures by the name of their canvas, with which Generate asks for `asked` again.

    Fields of parts that it does not have are left out. `keep` puts a picture where a canvas finds it.
    """
    if isinstance(asked, PictureBatch):
        return {**_of_request(asked.request, settings, keep), **_of_batch(asked)}
    return {**_of_request(asked, settings, keep), **_of_source(asked.source, keep)}


def _of_request(request: GenerationRequest, settings: Settings, keep: Callable[[Image.Image], File]) -> dict[str, Any]:
    values: dict[str, Any] = _params(request, GenerationRequest, "")
    for part, owner in PARTS.items():
        held = getattr(request, part)
        values |= {part: held is not None, **(_params(held, owner, f"{part}.") if held is not None else {})}
    values |= {**values_of_details(request.detail), SKIP: request.detail is not None and request.detail.skip_img2img}
    values["extra"] = request.subseed_strength > 0 or request.seed_resize_from_w > 0
    values[CONTROLS] = {"units": [_of_unit(unit, keep) for unit in request.controls]} if request.controls else None
    values[paste.OVERRIDES] = _overrides(request, settings)
    for part, script in SCRIPTS.items():
        options = options_from(script, request.scripts.get(script.title, ()))
        on, *rest = astuple(options)
        values[part] = bool(on)
        if on:
            names = [name for name in params_of(script.options) if name != "enabled"]
            values |= {f"{part}.{name}": value for name, value in zip(names, rest, strict=True)}
    return values


def _params(held: Any, owner: type, prefix: str) -> dict[str, Any]:
    found = {name: getattr(held, name) for name in params_of(owner)}
    return {
        prefix + name: list(value) if isinstance(value, tuple) else value
        for name, value in found.items()
        if value is not None
    }


def _of_unit(unit: ControlUnit, keep: Callable[[Image.Image], File]) -> dict[str, Any]:
    picture = {"image": _painted(unit.image, unit.mask, keep)} if unit.image is not None else {}
    return {"enabled": True, **_params(unit, ControlUnit, ""), **picture}


def _of_source(source: Source | None, keep: Callable[[Image.Image], File]) -> dict[str, Any]:
    """The mode, its canvases and what says how the picture is used. A sketch is part of the picture by now."""
    if source is None or not source.images:
        return {}
    picture, mask = source.images[0], source.mask
    values = {**_how(source), "resize_tab": "to"}
    if mask is None:
        return {**values, "mode": "img2img", "image": _painted(picture, None, keep)}
    values |= _of_mask(mask)
    if mask.image.size == picture.size:
        return {**values, "mode": "inpaint", "inpaint": _painted(picture, mask.image, keep)}
    pictures = {"inpaint_base": _painted(picture, None, keep), "inpaint_mask": _painted(mask.image, None, keep)}
    return {**values, "mode": "inpaint_upload", **pictures}


def _of_batch(batch: PictureBatch) -> dict[str, Any]:
    """The folders of a batch; pictures that were uploaded for it are chosen again by hand."""
    values: dict[str, Any] = {
        **_how(batch.source),
        **(_of_mask(batch.mask) if batch.mask is not None else {}),
        "mode": "batch",
        "batch.source": FOLDER if batch.folder else UPLOAD,
        "batch.use_info": batch.use_info,
        "batch.info_properties": list(batch.info_properties),
        "resize_tab": SIZE_BY_PICTURE if batch.scale_by else "to",
    }
    values |= {
        f"batch.{name}": getattr(batch, name) for name in ("folder", "output_folder", "mask_folder", "info_folder")
    }
    return {**values, "scale_by": batch.scale_by} if batch.scale_by else values


def _how(source: Source) -> dict[str, Any]:
    values: dict[str, Any] = {"source.resize_mode": RESIZE_MODES[source.resize_mode]}
    return values if source.image_cfg_scale is None else {**values, "source.image_cfg_scale": source.image_cfg_scale}


def _of_mask(mask: Mask) -> dict[str, Any]:
    return {
        "mask.mode": MASK_MODES[int(mask.invert)],
        "mask.area": AREAS[int(mask.only_masked)],
        "mask.fill": MASKED_CONTENT[mask.fill],
        "mask.blur": mask.blur_x,
        "mask.padding": mask.padding,
    }


def _painted(picture: Image.Image, mask: Image.Image | None, keep: Callable[[Image.Image], File]) -> dict[str, Any]:
    """The value of a canvas that shows `picture`, painted on as far as `mask` (L) is white."""
    if mask is None or mask.getbbox() is None:
        return {"image": keep(picture), "paint": None}
    paint = Image.new("RGBA", picture.size, (255, 255, 255, 0))
    paint.putalpha(mask.convert("L"))
    return {"image": keep(picture), "paint": keep(paint)}


def _overrides(request: GenerationRequest, settings: Settings) -> list[str]:
    """`Key: value` of the request's settings and checkpoint; by the setting's own key where infotext has none."""
    named = {setting.key: key for key, setting in settings.catalogue.by_infotext().items()}
    asked = {**request.settings}
    if request.checkpoint:
        asked["sd_model_checkpoint"] = request.checkpoint
    # What is no single value cannot be written in a line.
    return [f"{named.get(key, key)}: {value}" for key, value in asked.items() if not isinstance(value, (list, tuple))]
