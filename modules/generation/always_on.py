"""Built-in always-on scripts: what A1111 ships as scripts and the engine does itself, with their arguments.

Each is a dataclass whose fields, in order, are the arguments of `alwayson_scripts`. Source: spec/sampling.md §15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, TypeVar

from modules.terms.declare import Checkbox, Choice, Param, Slider, param, params_of
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest

T = TypeVar("T")


@dataclass(frozen=True)
class SoftInpainting:
    """How much of the original shows through a grey mask while it is painted over, and in the result."""

    enabled: bool = param(False, "Soft inpainting", Checkbox(), infotext="Soft inpainting enabled")
    schedule_bias: float = param(
        1,
        "Schedule bias",
        Slider(0, 8, 0.1),
        infotext="Soft inpainting schedule bias",
        help="When the original is kept: below 1 later, above 1 earlier in the drawing.",
    )
    preservation_strength: float = param(
        0.5,
        "Preservation strength",
        Slider(0, 8, 0.05),
        infotext="Soft inpainting preservation strength",
        help="How strongly partly masked places keep the original.",
    )
    transition_contrast_boost: float = param(
        4,
        "Transition contrast boost",
        Slider(1, 32, 0.5),
        infotext="Soft inpainting transition contrast boost",
        help="Keeps contrast where old and new are mixed, which would blur without it.",
    )
    mask_influence: float = param(
        0,
        "Mask influence",
        Slider(0, 1, 0.05),
        infotext="Soft inpainting mask influence",
        help="How much the mask itself, beside what has changed, decides where the original is laid over the result.",
    )
    difference_threshold: float = param(
        0.5,
        "Difference threshold",
        Slider(0, 8, 0.25),
        infotext="Soft inpainting difference threshold",
        help="How much a place must change before the result shows there.",
    )
    difference_contrast: float = param(
        2,
        "Difference contrast",
        Slider(0, 8, 0.25),
        infotext="Soft inpainting difference contrast",
        help="How sharp the border is between original and result.",
    )


# What stands in the margins before they are drawn -> "masked content" of inpainting.
OUTPAINT_CONTENTS = {"continued": 1, "fill": 0, "latent noise": 2, "latent nothing": 3}


@dataclass(frozen=True)
class Outpainting:
    """By how many pixels a picture goes on beyond each side, and how that is joined to it."""

    enabled: bool = param(False, "Outpaint", Checkbox(), infotext="Outpaint")
    left: int = param(0, "Left", Slider(0, 2048, 8, strict=True), infotext="Outpaint left")
    right: int = param(0, "Right", Slider(0, 2048, 8, strict=True), infotext="Outpaint right")
    up: int = param(0, "Up", Slider(0, 2048, 8, strict=True), infotext="Outpaint up")
    down: int = param(0, "Down", Slider(0, 2048, 8, strict=True), infotext="Outpaint down")
    blend: int = param(
        32,
        "Seam",
        Slider(0, 256, 4, strict=True),
        infotext="Outpaint seam",
        help="Pixels inside the picture over which old and new fade into each other. All others stay as they are.",
    )
    content: str = param(
        "continued",
        "New area begins as",
        Choice(tuple(OUTPAINT_CONTENTS)),
        infotext="Outpaint content",
        help="Continued: colours and texture go on from the edge. High denoising (0.8 and more) draws most freely.",
    )


@dataclass(frozen=True)
class AlwaysOn:
    """A built-in script. `options`: the dataclass of its arguments; the first says whether it is on."""

    title: str
    options: type[Any]
    tabs: tuple[str, ...] = ("txt2img", "img2img")


ALWAYS_ON = (
    AlwaysOn("Soft Inpainting", SoftInpainting, ("img2img",)),
    AlwaysOn("Outpaint", Outpainting, ("img2img",)),
)


def rows() -> list[dict[str, Any]]:
    """The scripts as `/sdapi/v1/script-info` lists them, once for each tab."""
    return [
        {
            "name": script.title,
            "is_alwayson": True,
            "is_img2img": tab == "img2img",
            "args": [_argument(declared) for declared in params_of(script.options).values()],
        }
        for script in ALWAYS_ON
        for tab in script.tabs
    ]


def _argument(declared: Param) -> dict[str, Any]:
    control = declared.control
    bounds = (control.minimum, control.maximum, control.step) if isinstance(control, Slider) else (None, None, None)
    choices = list(control.choices) if isinstance(control, Choice) else None
    values = dict(zip(("minimum", "maximum", "step"), bounds, strict=True))
    return {"label": declared.label, "value": declared.default, **values, "choices": choices}


def check_scripts(scripts: Mapping[str, Sequence[Any]]) -> None:
    """Raises: BadRequest naming the first argument of a built-in script that cannot be honoured."""
    for script in ALWAYS_ON:
        if script.title in scripts:
            options_from(script, scripts[script.title])


def asked(request: GenerationRequest, options: type[T]) -> T | None:
    """What `request` asks of the script with these options; None if it is off. Raises: BadRequest."""
    script = next(one for one in ALWAYS_ON if one.options is options)
    given = request.scripts.get(script.title)
    if given is None:
        return None
    found: T = options_from(script, given)
    return found if astuple(found)[0] else None  # type: ignore[call-overload]


def options_from(script: AlwaysOn, arguments: Sequence[Any]) -> Any:
    """The options that `arguments` stand for, in order; missing ones have their defaults, further ones are left out.

    Raises: BadRequest.
    """
    values = {}
    for value, (name, declared) in zip(arguments, params_of(script.options).items(), strict=False):
        if isinstance(declared.control, Checkbox) and value in (0, 1):
            value = bool(value)
        wrong = declared.control.check(value)
        if wrong:
            raise BadRequest(f"{script.title}: {declared.label} is {value!r}, but {wrong}.")
        values[name] = value
    return script.options(**values)


def entries_of(options: Any) -> dict[str, Any]:
    """Infotext entries of a script's options."""
    return {declared.infotext: getattr(options, name) for name, declared in params_of(type(options)).items()}
