"""Values of the page -> GenerationRequest. No components here: the values are by name, as `Fields` names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.gui.control_values import CONTROLS, units_of
from modules.gui.given import given
from modules.gui.part_values import detail_of
from modules.terms.request import GenerationRequest, Hires, Refiner


def to_request(values: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> GenerationRequest:
    """What Generate asks for. `settings` are overrides that hold for this request alone.

    A part whose switch ("hires", "refiner", "detail", "extra") is off is left out, whatever its fields say. A field
    that was emptied counts as its default. Raises: BadRequest for a value that cannot be honoured.
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
        detail=detail_of(values),
        controls=units_of(values.get(CONTROLS)),
        settings=dict(settings or {}),
    )
    request.check()
    return request


def _has_refiner(values: Mapping[str, Any]) -> bool:
    return bool(values.get("refiner") and values.get("refiner.checkpoint"))
