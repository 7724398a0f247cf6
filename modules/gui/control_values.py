"""The ControlNet panel's value <-> units of a request. No components here.

The value is `{"units": [{"enabled": true, "module": "canny", "image": {"image": file, "paint": file}, ...}, ...]}`:
fields of `ControlUnit` by name, and the picture as a canvas holds it. None before the panel was first opened.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from modules.control.preprocessors import PREPROCESSORS
from modules.generation.control_texts import units_in
from modules.gui.canvas import Painted
from modules.terms.control import NONE, ControlUnit
from modules.terms.declare import Slider, params_of
from modules.terms.errors import BadRequest

CONTROLS = "controls"


def units_of(value: Any) -> tuple[ControlUnit, ...]:
    """The units that are on. Raises: BadRequest naming what one lacks."""
    return tuple(unit_of(one, number) for number, one in enumerate(_units(value)) if one.get("enabled"))


def unit_of(given: Mapping[str, Any], number: int) -> ControlUnit:
    """Raises: BadRequest without a model, for a preprocessor that cannot be run, and for a broken picture."""
    image, mask = picture_of(given)
    unit = ControlUnit(**_fields(given), image=image, mask=mask)
    preprocessor = PREPROCESSORS[unit.module]
    preprocessor.check()
    if unit.model == NONE and not preprocessor.lends_look:
        raise BadRequest(
            f"ControlNet unit {number} is on but has no model. Choose one, or switch the unit off; "
            "files of models belong in models/ControlNet."
        )
    return unit


def picture_of(given: Mapping[str, Any]) -> tuple[Image.Image | None, Image.Image | None]:
    """(picture, mask) of a unit; what was painted is the mask. Raises: BadRequest."""
    canvas = Painted.of(given.get("image"))
    layer = canvas.layer()
    return canvas.picture(), None if layer is None else layer.getchannel("A")


def pasted(parsed: Mapping[str, Any], value: Any) -> Any:
    """The panel's value after a text was pasted: units that it names are on and keep their pictures, others are off."""
    found = units_in(parsed)
    units = [dict(one) for one in _units(value)]
    if not (found or units):
        return value
    units += [{} for _ in range(len(units), max([*found, -1]) + 1)]
    for number, one in enumerate(units):
        one["enabled"] = number in found
        if number in found:
            said = found[number]
            one |= {name: getattr(said, name) for name, declared in params_of(ControlUnit).items() if declared.infotext}
            one["module"] = PREPROCESSORS[said.module].name
    return {"units": units}


def map_of(given: Mapping[str, Any], size: tuple[int, int], models: Path | None) -> bytes:
    """What the preprocessor of a unit makes of its picture for a drawing of that (width, height), as PNG.

    Raises: BadRequest without a picture, or if it cannot be made here.
    """
    # These come with torch, which the page does not wait for.
    from modules.control.hints import pixel_perfect_resolution
    from modules.generation.control_pictures import shown, with_mask

    image, mask = picture_of(given)
    if image is None:
        raise BadRequest("Drop a picture on the unit first: the preprocessor makes its map from it.")
    unit = ControlUnit(**_fields(given))
    preprocessor = PREPROCESSORS[unit.module]
    looked = with_mask(image, mask, preprocessor)
    resolution = unit.processor_res
    if unit.pixel_perfect:
        resolution = pixel_perfect_resolution((image.width, image.height), *size, unit.resize_mode)
    wish = preprocessor.wish(resolution, unit.threshold_a, unit.threshold_b, models=models)
    buffer = io.BytesIO()
    shown(preprocessor(looked, wish)).save(buffer, "PNG")
    return buffer.getvalue()


def _units(value: Any) -> list[Mapping[str, Any]]:
    units = value.get("units") if isinstance(value, Mapping) else None
    return [one for one in units if isinstance(one, Mapping)] if isinstance(units, list) else []


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs of a ControlUnit that the page says, as they want them. Raises: BadRequest."""
    values: dict[str, Any] = {}
    for name, declared in params_of(ControlUnit).items():
        value = given.get(name)
        if value is None or value == "":
            continue
        if isinstance(declared.control, Slider) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        wrong = declared.control.check(value)
        if wrong:
            raise BadRequest(f"ControlNet: {declared.label} is {value!r}, but {wrong}.")
        values[name] = value
    return values
