"""Operations of the Extras tab that a setting puts into txt2img and img2img: the studio's own, and extensions'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from modules.a1111.bound import bound, work_now
from modules.terms.declare import params_of
from modules.terms.extras import (
    STEP_NAMES,
    AutoCrop,
    Captioning,
    ExtrasRequest,
    FaceRepair,
    FlippedCopies,
    FocalCrop,
    SplitOversized,
    Upscaling,
)

if TYPE_CHECKING:
    from PIL.Image import Image

SETTING = "postprocessing_enable_in_main_ui"
# Name of a step -> the part of an ExtrasRequest that asks for it, and which of its fields.
PARTS: Mapping[str, tuple[str, type, tuple[str, ...]]] = {
    "Upscale": ("upscaling", Upscaling, ("scale", "upscaler", "upscaler_2", "upscaler_2_visibility")),
    "GFPGAN": ("faces", FaceRepair, ("gfpgan_visibility",)),
    "CodeFormer": ("faces", FaceRepair, ("codeformer_visibility", "codeformer_weight")),
    "Split oversized images": ("split", SplitOversized, tuple(params_of(SplitOversized))),
    "Auto focal point crop": ("focal_crop", FocalCrop, ("face_weight", "entropy_weight", "edges_weight")),
    "Auto-sized crop": ("auto_crop", AutoCrop, tuple(params_of(AutoCrop))),
    "Create flipped copies": ("flips", FlippedCopies, tuple(params_of(FlippedCopies))),
    "Caption": ("captions", Captioning, tuple(params_of(Captioning))),
}


class Operation(Protocol):
    """What may be done to a finished picture."""

    @property
    def name(self) -> str: ...

    def build(self, elem_id: str) -> list[Any]:
        """Makes its components, here."""

    def asked(self, values: Sequence[Any]) -> bool:
        """Whether the values of its components ask for anything."""

    def applied(self, image: Image, values: Sequence[Any]) -> tuple[Image, Mapping[str, Any]]:
        """The picture that it makes of one, and what it writes into the text. Raises: as the step."""


@dataclass
class OwnOperation:
    """A step of the studio's."""

    name: str

    def build(self, elem_id: str) -> list[Any]:
        from modules.gui.listing import listing_of
        from modules.gui.widgets import Fields, param_field
        from modules.ui_components import InputAccordion

        part, owner, names = PARTS[self.name]
        fields, listing = Fields(), listing_of(bound().studio)
        with InputAccordion(False, label=self.name, elem_id=elem_id) as switch:
            for name in names:
                # Faces are repaired wholly once they are asked for, as on the Extras tab.
                value = 1.0 if name in ("gfpgan_visibility", "codeformer_visibility") else None
                param_field(fields, owner, name, listing, part=part, elem_id=f"{elem_id}_{name}", value=value)
        return [switch, *fields.inputs]

    def asked(self, values: Sequence[Any]) -> bool:
        return bool(values and values[0])

    def applied(self, image: Image, values: Sequence[Any]) -> tuple[Image, Mapping[str, Any]]:
        from modules.enhance.upscaler import Work
        from modules.generation.postprocessing import STEPS
        from modules.generation.postprocessing.step import Piece

        part, owner, names = PARTS[self.name]
        given = {
            name: tuple(one) if isinstance(one, list) else one for name, one in zip(names, values[1:], strict=False)
        }
        request = ExtrasRequest().with_(**{part: owner(**given)})
        work = work_now(self.name)
        step = next(one for one in STEPS if one.name == self.name)
        if not step.asked(request):
            return image, {}
        pieces = step.apply(Piece(image), request, work.tools, Work(work.settings, lambda part, parts: None))
        return pieces[0].image, pieces[0].entries


@dataclass
class ScriptOperation:
    """A postprocessing script of an extension."""

    script: Any
    _names: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return str(self.script.name)

    def build(self, elem_id: str) -> list[Any]:
        import gradio as gr

        from modules.scripts_postprocessing import overrides, wrap_call

        with gr.Group(visible=bool(overrides(self.script, "ui"))):
            controls = wrap_call(self.script.ui, self.script.filename, "ui", default={}) or {}
        self._names = tuple(controls)
        return list(controls.values())

    def asked(self, values: Sequence[Any]) -> bool:
        return True

    def applied(self, image: Image, values: Sequence[Any]) -> tuple[Image, Mapping[str, Any]]:
        from modules.scripts_postprocessing import PostprocessedImage, overrides, wrap_call

        pp = PostprocessedImage(image)
        given = dict(zip(self._names, values, strict=False))
        for method in ("process_firstpass", "process"):
            if overrides(self.script, method):
                wrap_call(getattr(self.script, method), self.script.filename, method, pp, **given)
        return pp.image, pp.info


def operations() -> list[Operation]:
    """Those that the setting names, in the order in which the Extras tab has them."""
    from modules import scripts
    from modules.scripts_postprocessing import wrap_call

    named = list(bound().settings.get(SETTING, ()))
    order = list(bound().settings.get("postprocessing_operation_order", ()))
    found: list[Operation] = [OwnOperation(name) for name in STEP_NAMES if name in named]
    for data in scripts.postprocessing_scripts_data:
        if getattr(data.script_class, "name", None) in named:
            script = wrap_call(data.script_class, data.path, "__init__")
            if script is not None:
                script.filename = data.path
                found.append(ScriptOperation(script))
    return sorted(found, key=lambda one: order.index(one.name) if one.name in order else len(order))


def names() -> list[str]:
    """The names of extensions' scripts, for the setting."""
    from modules import scripts

    found = (getattr(data.script_class, "name", None) for data in scripts.postprocessing_scripts_data)
    return [str(name) for name in found if name]
