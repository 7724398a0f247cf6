"""What /api/v2 is asked, as models that follow the declarations in terms/."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi.openapi.models import Example
from pydantic import Discriminator, Field, Tag

from modules.sdapi.v2.declared import StrictBody, body_of
from modules.terms.extras import FaceRepair, Upscaling
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

Picture = Annotated[
    str,
    Field(
        description='base64, with or without "data:image/…;base64,"; "upload:<id>" for a picture that was sent to '
        '/api/v2/uploads; "job:<id>/<index>" for one that a job drew; an http(s) address if the settings allow it.'
    ),
]
EXAMPLES: dict[str, Example] = {
    "text to picture": {"value": {"prompt": "a red circle", "steps": 20, "width": 512, "height": 512, "seed": 5}},
    "picture to picture": {
        "value": {
            "prompt": "a red circle on grass",
            "source": {"images": ["job:0123456789abcdef/0"]},
            "denoising_strength": 0.6,
        }
    },
    "enlarge": {
        "value": {
            "kind": "extras",
            "pictures": ["upload:0123456789abcdef"],
            "upscaling": {"upscaler": "Lanczos", "scale": 2},
        }
    },
}


class _MaskPictures(StrictBody):
    """Which part of the source is repainted."""

    image: Picture = Field(description="White is repainted; where it is transparent, its opacity counts.")
    blur_x: int = Field(4, ge=0, le=512)
    blur_y: int = Field(4, ge=0, le=512)
    round: bool = True


class _SourcePictures(StrictBody):
    """The pictures that are drawn over: one for all, or one per picture of the batch."""

    images: list[Picture] = Field(min_length=1)


MaskBody: Any = body_of(Mask, "MaskV2", _MaskPictures)


class _MaskedSource(_SourcePictures):
    mask: MaskBody | None = None


SourceBody: Any = body_of(Source, "SourceV2", _MaskedSource)
HiresBody: Any = body_of(Hires, "HiresV2")
RefinerBody: Any = body_of(Refiner, "RefinerV2")
UpscalingBody: Any = body_of(Upscaling, "UpscalingV2")
FacesBody: Any = body_of(FaceRepair, "FacesV2")


class _Keeping(StrictBody):
    """save: into the folders of pictures as the settings say; otherwise pictures live as long as the job is listed."""

    save: bool = False
    task_id: str | None = Field(None, max_length=256, description="Another name for the job, of your own.")


class _GenerationParts(_Keeping):
    """Draw pictures. A picture in `source` makes it img2img, a mask in there inpainting."""

    kind: Literal["generation"] = "generation"
    source: SourceBody | None = None
    hires: HiresBody | None = Field(None, description="A second, larger pass.")
    refiner: RefinerBody | None = None
    settings: dict[str, Any] = Field({}, description="Settings that hold for this job alone, by their keys.")
    controls: list[dict[str, Any]] = Field([], description="Units of ControlNet, with the names of A1111's API.")
    detail: list[dict[str, Any]] = Field([], description="What is found and drawn again, in ADetailer's words.")
    scripts: dict[str, list[Any]] = Field({}, description="Arguments of always-on scripts, by title.")
    script: str = Field("", description="A script that is chosen, by title.")
    script_args: list[Any] | dict[str, Any] = Field([], description="Its arguments, by place or by label.")


GenerationBody: Any = body_of(GenerationRequest, "GenerationV2", _GenerationParts)


class ExtrasBody(_Keeping):
    """Enlarge pictures, repair faces in them."""

    kind: Literal["extras"]
    pictures: list[Picture] = Field(min_length=1)
    upscaling: UpscalingBody | None = None
    faces: FacesBody | None = None


def _kind_of(body: Any) -> str:
    """Which body it is: one that does not say asks for pictures to be drawn."""
    kind = body.get("kind") if isinstance(body, dict) else getattr(body, "kind", None)
    return str(kind or "generation")


JobBody = Annotated[
    Annotated[GenerationBody, Tag("generation")] | Annotated[ExtrasBody, Tag("extras")], Discriminator(_kind_of)
]
