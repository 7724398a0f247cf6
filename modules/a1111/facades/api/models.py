"""The bodies of requests and answers, as the studio's API declares them."""

from __future__ import annotations

from typing import Any, Optional  # noqa: F401 - reached through this module

from pydantic import BaseModel, Field, create_model  # noqa: F401 - the same

from modules.a1111.missing import refusing
from modules.sdapi import schemas

API_NOT_ALLOWED = ["self", "kwargs", "sd_model", "outpath_samples", "outpath_grids"]


class _Config:
    """What pydantic 1 kept with a model: extensions derive the Config of theirs from it."""


class StableDiffusionTxt2ImgProcessingAPI(schemas.Txt2ImgBody):
    """Adds nothing but what is set below."""


class StableDiffusionImg2ImgProcessingAPI(schemas.Img2ImgBody):
    """Adds nothing but what is set below."""


# In a class body pydantic 2 would take it for a setting of its own.
for _model in (StableDiffusionTxt2ImgProcessingAPI, StableDiffusionImg2ImgProcessingAPI):
    type.__setattr__(_model, "__config__", _Config)


TextToImageResponse = ImageToImageResponse = schemas.GenerationAnswer
ExtrasBaseRequest, FileData = schemas.ExtrasBody, schemas.NamedPicture
ExtrasSingleImageRequest, ExtrasBatchImagesRequest = schemas.ExtrasSingleBody, schemas.ExtrasBatchBody
ExtrasSingleImageResponse = schemas.ExtrasSingleAnswer
ExtrasBatchImagesResponse = schemas.ExtrasBatchAnswer
InterrogateRequest, InterrogateResponse = schemas.InterrogateBody, schemas.InterrogateAnswer
PNGInfoRequest, PNGInfoResponse = schemas.PngInfoBody, schemas.PngInfoAnswer
ProgressRequest, ProgressResponse = schemas.ProgressBody, schemas.Progress

__getattr__ = refusing("modules.api.models")
