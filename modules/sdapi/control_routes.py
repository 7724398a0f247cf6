"""What the ControlNet extension serves beside A1111's API: its lists, and maps without a picture drawn from them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from fastapi import APIRouter
from PIL import Image
from pydantic import AliasChoices, Field

from modules.control.preprocessors import PREPROCESSORS
from modules.sdapi.images import read_image
from modules.sdapi.needs import Studio
from modules.sdapi.schemas import Body
from modules.studio.control_lists import UNIT_COUNT, ControlType
from modules.studio.control_lists import control_types as grouped
from modules.terms.errors import BadRequest

API_VERSION = 2


class DetectBody(Body):
    controlnet_module: str = "none"
    controlnet_input_images: list[str] = Field(
        [], validation_alias=AliasChoices("controlnet_input_images", "controlnet_images")
    )
    controlnet_masks: list[str] = []
    controlnet_processor_res: int = -1
    controlnet_threshold_a: float = -1
    controlnet_threshold_b: float = -1
    low_vram: bool = False


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/controlnet", tags=["controlnet"])

    @router.get("/version")
    def version() -> dict[str, int]:
        """The version of this interface."""
        return {"version": API_VERSION}

    @router.get("/settings")
    def settings() -> dict[str, int]:
        """How many units the page offers."""
        return {"control_net_unit_count": UNIT_COUNT}

    @router.get("/model_list")
    def model_list(update: bool = True) -> dict[str, list[str]]:
        """The control networks there are; `update` looks into the folders first."""
        if update:
            studio.refresh("control_models")
        return {"model_list": [str(row["name"]) for row in studio.details("control_models")]}

    @router.get("/module_list")
    def module_list(alias_names: bool = False) -> dict[str, Any]:
        """The preprocessors, with their numbers. `works` is false for those that need a network that is not here."""
        key = "label" if alias_names else "name"
        rows = studio.details("control_modules")
        detail = {
            row[key]: {"model_free": not row["needs_model"], "works": row["works"], "sliders": row["sliders"]}
            for row in rows
        }
        return {"module_list": list(detail), "module_detail": detail}

    @router.get("/control_types")
    def control_types() -> dict[str, Any]:
        """Preprocessors and models by what they steer with."""
        titles = [str(row["name"]) for row in studio.details("control_models")]
        return {"control_types": {name: told(one) for name, one in grouped(titles).items()}}

    @router.post("/detect")
    def detect(body: DetectBody) -> dict[str, Any]:
        """The maps that a preprocessor makes of pictures, in base64."""
        preprocessor = PREPROCESSORS.find(body.controlnet_module)
        if preprocessor is None:
            raise BadRequest(f"Module not available: {body.controlnet_module!r}. See /controlnet/module_list.")
        if not body.controlnet_input_images:
            raise BadRequest("No image selected: send controlnet_input_images, a list of base64 pictures.")
        masks = body.controlnet_masks
        if preprocessor.takes_mask and len(masks) != len(body.controlnet_input_images):
            raise BadRequest(f"Preprocessor {preprocessor.name} needs controlnet_masks, one for each picture.")
        wish = preprocessor.wish(
            body.controlnet_processor_res,
            body.controlnet_threshold_a,
            body.controlnet_threshold_b,
            models=studio.flags.controlnet_preprocessor_models_dir,
        )
        images = []
        for place, text in enumerate(body.controlnet_input_images):
            pixels = np.asarray(read_image(text, studio.settings).convert("RGB"))
            if preprocessor.takes_mask:
                mask = read_image(masks[place], studio.settings).convert("L").resize(pixels.shape[1::-1])
                pixels = np.dstack([pixels, np.asarray(mask)])
            images.append(_encoded(preprocessor(pixels, wish)))
        return {"images": images, "info": "Success"}

    return router


def told(one: ControlType) -> dict[str, Any]:
    """A control type as the extension names it: preprocessors by their labels."""
    labels = [PREPROCESSORS[name].title for name in one.modules]
    return {
        "module_list": labels,
        "model_list": list(one.models),
        "default_option": PREPROCESSORS[one.module].title,
        "default_model": one.model,
    }


def _encoded(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
