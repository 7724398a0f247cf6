"""The canvas: a picture and what is painted over it, each as a file that the browser uploaded.

The browser sends the picture as the file that it was given and what was painted as a PNG of the same size whose pixels
are opaque where there is paint and empty elsewhere, so nothing is lost on the way. static/canvas.js is its other half.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from PIL import Image, ImageOps

from modules.imaging.files import open_image
from modules.terms.errors import BadRequest

Brush = Literal["none", "mask", "colour"]


@dataclass(frozen=True)
class Painted:
    """What a canvas holds: the files of its picture and of its paint."""

    image: Path | None = None
    paint: Path | None = None

    @classmethod
    def of(cls, value: Any) -> Painted:
        """From what the browser sends, whose paths the guard has looked at; empty if it is nothing."""
        if not isinstance(value, Mapping):
            return cls()
        return cls(_path(value.get("image")), _path(value.get("paint")))

    def picture(self) -> Image.Image | None:
        """The picture upright, as the browser showed it; None if there is none. Raises: BadRequest if it is broken."""
        if self.image is None:
            return None
        return ImageOps.exif_transpose(open_image(self.image))

    def layer(self) -> Image.Image | None:
        """The paint, RGBA, of the picture's size; None where nothing was painted. Raises: BadRequest."""
        picture = self.picture()
        if self.paint is None or picture is None:
            return None
        layer = open_image(self.paint, what="What was painted").convert("RGBA")
        if layer.size != picture.size:
            raise BadRequest(
                f"What was painted measures {layer.width}x{layer.height}, the picture {picture.width}x{picture.height}."
                " Drop the picture on the canvas again and paint anew."
            )
        return layer


def canvas(
    name: str, *, elem_id: str, height: int, brush: Brush = "none", colour: str = "#ffffff", holds: str = "picture"
) -> gr.HTML:
    """A place for one picture, known to the page's scripts as `name`; its value is for `Painted.of`.

    brush: what can be painted over it, in the `colour` that it begins with. height: of the place, in pixels of the
    page, at most. holds: what the picture is, "picture" or "mask".
    """
    # Not a subclass: Gradio writes a .pyi beside the source of each.
    return gr.HTML(
        value=None,
        html_template="<div class='canvas'></div>",
        js_on_load="window.atelier.openCanvas({element, props, watch})",
        elem_id=elem_id,
        elem_classes=["canvas-block"],
        apply_default_css=False,
        padding=False,
        name=name,
        brush=brush,
        colour=colour,
        holds=holds,
        height=height,
    )


def _path(file: Any) -> Path | None:
    named = file.get("path") if isinstance(file, Mapping) else None
    return Path(named) if isinstance(named, str) and named else None
