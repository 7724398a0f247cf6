"""Values of the img2img tab -> GenerationRequest: which picture and which mask each mode means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from modules.gui.canvas import Painted
from modules.gui.part_values import script_args
from modules.gui.request import to_request
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest, Mask, Source

# A1111's ids of the modes, in its order, and the canvases that they take their picture from.
MODES = {
    "img2img": "image",
    "sketch": "sketch",
    "inpaint": "inpaint",
    "inpaint_sketch": "inpaint_sketch",
    "inpaint_upload": "inpaint_base",
    "batch": "",
}
RESIZE_MODES = ("Just resize", "Crop and resize", "Resize and fill", "Just resize (latent upscale)")
MASK_MODES = ("Inpaint masked", "Inpaint not masked")
MASKED_CONTENT = ("fill", "original", "latent noise", "latent nothing")
AREAS = ("Whole picture", "Only masked")
SIZE_BY_PICTURE = "by"


def to_img2img_request(values: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> GenerationRequest:
    """What Generate asks for. `settings` are overrides that hold for this request alone.

    values: besides the fields, "mode" (one of MODES), "resize_tab" ("to" or "by") and the value of each canvas.
    Raises: BadRequest without a picture, and for a value that cannot be honoured.
    """
    mode = str(values.get("mode") or "img2img")
    picture, mask = picture_and_mask(mode, values)
    request = to_request({**values, "hires": False}, settings)
    width, height = request.width, request.height
    if values.get("resize_tab") == SIZE_BY_PICTURE:
        width, height = scaled(picture.size, float(values.get("scale_by") or 1))
    strength = values.get("denoising_strength")
    source = replace(source_of((picture,), values), mask=mask_of(mask, values) if mask is not None else None)
    request = request.with_(
        scripts=scripts_for(values, masked=mask is not None),
        source=source,
        width=width,
        height=height,
        denoising_strength=0.75 if strength is None else float(strength),
    )
    request.check()
    return request


def scripts_for(values: Mapping[str, Any], *, masked: bool) -> dict[str, tuple[Any, ...]]:
    """The arguments of the built-in scripts by title; soft inpainting needs a mask."""
    return {title: args for title, args in script_args(values).items() if masked or title != "Soft Inpainting"}


def source_of(images: tuple[Image.Image, ...], values: Mapping[str, Any]) -> Source:
    """How `images` are used, as the fields say."""
    return Source(
        images=images,
        resize_mode=RESIZE_MODES.index(values.get("source.resize_mode") or RESIZE_MODES[0]),
        image_cfg_scale=values.get("source.image_cfg_scale", 1.5),
    )


def picture_and_mask(mode: str, values: Mapping[str, Any]) -> tuple[Image.Image, Image.Image | None]:
    """The picture to start from, and the mask (L, white is repainted) if the mode has one. Raises: BadRequest."""
    canvas = Painted.of(values.get(MODES.get(mode, "")))
    picture = canvas.picture()
    if picture is None:
        raise BadRequest("img2img needs a picture to start from: drop one on the tab, paste it, or click to choose.")
    if mode == "sketch":
        layer = canvas.layer()
        return (picture if layer is None else painted_over(picture, layer)), None
    if mode == "inpaint":
        layer = canvas.layer()
        return picture, Image.new("L", picture.size) if layer is None else layer.getchannel("A")
    if mode == "inpaint_sketch":
        return _inpaint_sketch(picture, canvas.layer(), values)
    if mode == "inpaint_upload":
        mask = Painted.of(values.get("inpaint_mask")).picture()
        if mask is None:
            raise BadRequest("Inpaint upload needs a mask: drop a black and white picture on the second place.")
        return picture, mask
    return picture, None


def painted_over(picture: Image.Image, layer: Image.Image) -> Image.Image:
    """`picture` with the pixels of `layer` that are painted, exactly; transparency of the picture stays elsewhere."""
    over = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    over.paste(layer.convert(over.mode), mask=layer.getchannel("A"))
    return over


def _inpaint_sketch(
    picture: Image.Image, layer: Image.Image | None, values: Mapping[str, Any]
) -> tuple[Image.Image, Image.Image]:
    """The sketch laid over the picture through its blurred mask, and the mask. Source: spec/sampling.md §8."""
    if layer is None:
        return picture, Image.new("L", picture.size)
    original = picture.convert("RGB")
    sketch = painted_over(original, layer)
    differs = np.any(np.asarray(sketch) != np.asarray(original), axis=-1)
    mask = Image.fromarray(differs.astype(np.uint8) * 255)
    transparency = float(values.get("mask.alpha") or 0)
    mask = ImageEnhance.Brightness(mask).enhance(1 - transparency / 100)
    blur = ImageFilter.GaussianBlur(_blur(values))
    return Image.composite(sketch.filter(blur), original, mask.filter(blur)), mask


def mask_of(image: Image.Image, values: Mapping[str, Any]) -> Mask:
    """The mask in `image`, used as the fields say."""
    blur = int(_blur(values))
    padding = values.get("mask.padding")
    return Mask(
        image=image,
        blur_x=blur,
        blur_y=blur,
        invert=values.get("mask.mode") == MASK_MODES[1],
        fill=MASKED_CONTENT.index(values.get("mask.fill") or "original"),
        only_masked=values.get("mask.area") == AREAS[1],
        padding=32 if padding is None else int(padding),
    )


def _blur(values: Mapping[str, Any]) -> float:
    blur = values.get("mask.blur")
    return 4.0 if blur is None else float(blur)


def scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """`size` times `factor`, each side down to a multiple of 8, as A1111's "Resize by"."""
    width, height = (max(64, int(side * factor) // 8 * 8) for side in size)
    return width, height
