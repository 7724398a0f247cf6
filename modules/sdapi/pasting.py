"""The `infotext` field of a request: the text of a picture fills whatever the request does not set itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from modules.generation.infotext import parse
from modules.generation.network_tags import with_local_networks
from modules.generation.restore import overrides
from modules.sdapi.needs import Studio
from modules.sdapi.schemas import GenerationBody
from modules.terms.declare import params_of
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

T = TypeVar("T", bound=GenerationBody)

HIRES_SIGNS = ("Hires upscale", "Hires upscaler", "Hires resize-1")
CHOICES: Mapping[str, Mapping[str, int]] = {
    "Masked content": {"fill": 0, "original": 1, "latent noise": 2, "latent nothing": 3},
    "Mask mode": {"Inpaint masked": 0, "Inpaint not masked": 1},
    "Inpaint area": {"Whole picture": False, "Only masked": True},
}


def filled_from_infotext(body: T, text: str, studio: Studio) -> tuple[T, dict[str, Any]]:
    """(`body` with the fields that it left out filled from `text`, the settings that `text` names).

    Raises: BadRequest if a value of the text does not fit its field.
    """
    parsed, _ = with_local_networks(parse(text, settings=studio.settings, styles=studio.styles), studio.resources.lora)
    given = body.model_dump(include=body.model_fields_set)
    found = {key: value for key, value in fields_of(parsed).items() if key in type(body).model_fields}
    if not {"sampler_name", "sampler_index"}.isdisjoint(given):
        found.pop("sampler_name", None)
    try:
        filled = type(body).model_validate({**found, **given})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequest(f"The infotext gives {where} a value that does not fit: {first['msg']}.") from error
    return filled, {key: value for _, key, value in overrides(parsed, studio.settings)}


def fields_of(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """API field -> value, for everything in a parsed infotext that has an API field."""
    values: dict[str, Any] = {}
    for owner in (GenerationRequest, Source, Mask, Hires, Refiner):
        for param in params_of(owner).values():
            if param.infotext and parsed.get(param.infotext) not in (None, ""):
                value = parsed[param.infotext]
                values[param.key] = CHOICES.get(param.infotext, {}).get(value, value)
    if "Styles array" in parsed:
        values["styles"] = list(parsed["Styles array"])
    values["enable_hr"] = "Denoising strength" in parsed and any(
        parsed.get(sign) not in (None, "", 0, "0") for sign in HIRES_SIGNS
    )
    return values
