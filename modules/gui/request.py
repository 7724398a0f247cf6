"""Values of the page -> GenerationRequest. No components here: the values are by name, as `Fields` names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.terms.declare import Number, Param, Slider, params_of
from modules.terms.request import GenerationRequest, Hires, Refiner


def to_request(values: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> GenerationRequest:
    """What Generate asks for. `settings` are overrides that hold for this request alone.

    A part whose switch ("hires", "refiner", "extra") is off is left out, whatever its fields say. A field that was
    emptied counts as its default. Raises: BadRequest for a value that cannot be honoured.
    """
    own = given(GenerationRequest, values, "")
    if not values.get("extra"):
        for name in ("subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h"):
            own.pop(name, None)
    if not values.get("hires"):
        own.pop("denoising_strength", None)
    request = GenerationRequest(
        **own,
        hires=Hires(**given(Hires, values, "hires.")) if values.get("hires") else None,
        refiner=Refiner(**given(Refiner, values, "refiner.")) if _has_refiner(values) else None,
        settings=dict(settings or {}),
    )
    request.check()
    return request


def _has_refiner(values: Mapping[str, Any]) -> bool:
    return bool(values.get("refiner") and values.get("refiner.checkpoint"))


def given(owner: type, values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Field -> value of `owner`, for what the page has and the user filled in."""
    params = params_of(owner)
    return {
        name: _typed(params[name], values[prefix + name])
        for name in params
        if values.get(prefix + name) is not None and values[prefix + name] != ""
    }


def _typed(param: Param, value: Any) -> Any:
    """`value` as the field wants it: whole numbers without a fraction, lists as tuples."""
    control = param.control
    if isinstance(value, list):
        return tuple(value)
    whole = (isinstance(control, Number) and control.integer) or (
        isinstance(control, Slider) and isinstance(param.default, int) and control.step == int(control.step)
    )
    return int(value) if whole and isinstance(value, (int, float)) and not isinstance(value, bool) else value
