"""Texts and pictures on their way from buttons of extensions to the fields of the studio's tabs."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound
from modules.terms.declare import params_of
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

if TYPE_CHECKING:
    from gradio.components import Component

PARTS = (("", GenerationRequest), ("hires.", Hires), ("refiner.", Refiner), ("source.", Source), ("mask.", Mask))
# Tab of A1111 -> the studio's tab and its canvas.
TARGETS = {"img2img": ("img2img", "image"), "inpaint": ("img2img", "inpaint"), "extras": ("extras", "extras")}


def infotext_key(name: str) -> str:
    """What infotext calls the field of that name in a tab; "" for one that it has no word for."""
    for prefix, owner in PARTS:
        own = name.removeprefix(prefix)
        if (not prefix or name.startswith(prefix)) and own in params_of(owner):
            return params_of(owner)[own].infotext or ""
    return ""


def paste_fields(fields: Mapping[str, Component]) -> list[tuple[Component, str]]:
    """`modules.ui.txt2img_paste_fields` of a tab with these fields."""
    return [(component, infotext_key(name)) for name, component in fields.items() if infotext_key(name)]


def value_for(component: Any, target: Any, params: Mapping[str, Any]) -> Any:
    """The update of `component` for what a text says under `target`, a key or a function of all that it says."""
    import gradio as gr

    found = target(params) if callable(target) else params.get(target)
    if found is None:
        return gr.update()
    if isinstance(found, dict) and "__type__" in found:
        return found
    own = getattr(component, "value", None)
    try:
        if isinstance(own, bool):
            return gr.update(value=found if isinstance(found, bool) else str(found) == "True")
        if isinstance(own, int) and not isinstance(found, int):
            return gr.update(value=int(float(found)))
        return gr.update(value=found if own is None or isinstance(found, type(own)) else type(own)(found))
    except (TypeError, ValueError):
        return gr.update()


def read(text: str) -> dict[str, Any]:
    """Infotext key -> value, after the extensions have looked at it."""
    from modules import script_callbacks
    from modules.infotext_utils import parse_generation_parameters

    params: dict[str, Any] = parse_generation_parameters(text)
    script_callbacks.infotext_pasted_callback(text, params)
    return params


def pasted(fields: Sequence[tuple[Any, Any]], text: str) -> list[Any]:
    """Updates for the components of `fields`, (component, key or function) each, from a picture's text."""
    params = read(text) if text else {}
    return [value_for(component, target, params) for component, target in fields]


def picture_of(value: Any) -> Any:
    """The PIL picture that a component of an extension handed over: a gallery, an image, a path or a data URL."""
    from PIL import Image

    if isinstance(value, (list, tuple)) and value:
        return picture_of(value[0])
    if isinstance(value, Mapping):
        value = value.get("image") or value.get("composite") or value.get("path") or value.get("name")
    if value is None:
        return None
    if isinstance(value, Image.Image):
        return value
    if isinstance(value, (str, Path)):
        text = str(value)
        if text.startswith("data:image/"):
            return Image.open(io.BytesIO(base64.b64decode(text.split(",", 1)[1])))
        return Image.open(text.split("?")[0])
    return Image.fromarray(value)


def canvas_value(value: Any) -> Any:
    """What a canvas of the studio shows for that picture."""
    import gradio as gr
    from gradio.data_classes import FileData
    from gradio.processing_utils import save_pil_to_cache
    from gradio.utils import get_upload_folder

    picture = picture_of(value)
    if picture is None:
        return gr.update()
    path = save_pil_to_cache(picture, get_upload_folder(), format="png")
    return {"image": FileData(path=path, url=f"/gradio_api/file={path}").model_dump(), "paint": None}


def size_of(value: Any) -> tuple[Any, Any]:
    """Width and height of a handed over picture, as the settings say whether to send them."""
    import gradio as gr

    picture = picture_of(value)
    if picture is None or not bound().settings["send_size"]:
        return gr.update(), gr.update()
    width, height = picture.size
    return width, height
