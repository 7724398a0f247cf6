"""Requests and answers of `/sdapi/v1`, with the names and defaults of A1111 1.10.1."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

# Half of a pair, which Python takes from JSON and no answer could carry.
SURROGATE = re.compile("[\ud800-\udfff]")


class Body(BaseModel):
    """What clients send. Unknown fields are ignored, null means: as if it were not there."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        _refuse_unwritable(data)
        return {key: value for key, value in data.items() if value is not None}


def _refuse_unwritable(data: Any) -> None:
    """Raises: ValueError for values that JSON cannot carry back: NaN, infinity, half of a surrogate pair."""
    pending = [data]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} is not a number that JSON knows")
        # Pictures are megabytes of ASCII, and this runs in the server's loop.
        elif isinstance(value, str) and not value.isascii() and SURROGATE.search(value):
            raise ValueError("text with half of a surrogate pair is not valid Unicode")


def truncated(value: Any) -> Any:
    """A number without its fraction; anything else as it is."""
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


# A1111 cuts fractions off and takes numbers for text; clients send half of the steps, or a seed as 1.0.
Whole = Annotated[int, BeforeValidator(truncated)]


class GenerationBody(Body):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    prompt: str = ""
    negative_prompt: str = ""
    styles: list[str | None] | None = None
    seed: Whole = -1
    subseed: Whole = -1
    subseed_strength: float = 0
    seed_resize_from_h: Whole = -1
    seed_resize_from_w: Whole = -1
    sampler_name: str | None = None
    scheduler: str | None = None
    sampler_index: str = Field("Euler", description="Used when sampler_name is empty; old clients send it.")
    batch_size: Whole = 1
    n_iter: Whole = 1
    steps: Whole = 50
    cfg_scale: float = 7.0
    distilled_cfg_scale: float = Field(0.0, description="For FLUX and its kin. 0: as the model likes.")
    width: Whole = 512
    height: Whole = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    eta: float | None = None
    s_min_uncond: float | None = None
    s_churn: float | None = None
    s_tmax: float | None = None
    s_tmin: float | None = None
    s_noise: float | None = None
    override_settings: dict[str, Any] | None = Field(None, description="Settings that hold for this request alone.")
    override_settings_restore_afterwards: bool = Field(
        True, description="false: once the pictures are done, override_settings hold for everybody, for good."
    )
    refiner_checkpoint: str | None = None
    refiner_switch_at: float | None = None
    disable_extra_networks: bool = False
    comments: dict[str, Any] | None = None
    force_task_id: str | None = Field(None, max_length=256, description="The name to ask for progress by.")
    script_name: str | None = None
    script_args: list[Any] | dict[str, Any] = Field([], description="By place; or by the labels of script-info.")
    send_images: bool = True
    save_images: bool = False
    alwayson_scripts: dict[str, Any] = {}
    infotext: str | None = Field(None, description="Fills whatever the request does not set itself.")


class Txt2ImgBody(GenerationBody):
    enable_hr: bool = False
    denoising_strength: float | None = None
    firstphase_width: Whole = 0
    firstphase_height: Whole = 0
    firstpass_image: str | None = Field(
        None, description="Stands for the first pass: hires fix enlarges it and draws over it. Its size counts."
    )
    hr_scale: float = 2.0
    hr_upscaler: str | None = None
    hr_second_pass_steps: Whole = 0
    hr_resize_x: Whole = 0
    hr_resize_y: Whole = 0
    hr_checkpoint_name: str | None = None
    hr_sampler_name: str | None = None
    hr_scheduler: str | None = None
    hr_prompt: str = ""
    hr_negative_prompt: str = ""


class Img2ImgBody(GenerationBody):
    init_images: list[str] | None = None
    resize_mode: Whole = Field(0, description="0 stretch, 1 crop, 2 fill, 3 stretch the latent")
    denoising_strength: float = 0.75
    image_cfg_scale: float | None = None
    mask: str | None = Field(None, description="White is repainted.")
    mask_blur: Whole | None = None
    mask_blur_x: Whole = 4
    mask_blur_y: Whole = 4
    mask_round: bool = True
    inpainting_fill: Whole = Field(0, description="0 fill, 1 original, 2 latent noise, 3 latent nothing")
    inpaint_full_res: bool = True
    inpaint_full_res_padding: Whole = 0
    inpainting_mask_invert: Whole = 0
    initial_noise_multiplier: float | None = None
    latent_mask: str | None = None
    include_init_images: bool = False


class GenerationAnswer(BaseModel):
    images: list[str] = Field(description="base64 without a prefix; a grid comes first")
    parameters: dict[str, Any]
    info: str = Field(description="JSON")


class ExtrasBody(Body):
    resize_mode: Literal[0, 1] = Field(0, description="0 by upscaling_resize, 1 to upscaling_resize_w x _h")
    show_extras_results: bool = True
    gfpgan_visibility: float = Field(0, ge=0, le=1)
    codeformer_visibility: float = Field(0, ge=0, le=1)
    codeformer_weight: float = Field(0, ge=0, le=1, description="0 changes faces most, 1 least.")
    upscaling_resize: float = Field(2, gt=0)
    upscaling_resize_w: int = Field(512, ge=1)
    upscaling_resize_h: int = Field(512, ge=1)
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    upscaler_2: str = "None"
    extras_upscaler_2_visibility: float = Field(0, ge=0, le=1)
    upscale_first: bool = Field(False, description="Accepted; the settings say in which order steps run.")


class ExtrasSingleBody(ExtrasBody):
    image: str = ""


class NamedPicture(Body):
    data: str
    name: str


class ExtrasBatchBody(ExtrasBody):
    imageList: list[NamedPicture]


class ExtrasSingleAnswer(BaseModel):
    html_info: str
    image: str


class ExtrasBatchAnswer(BaseModel):
    html_info: str
    images: list[str]


class InterrogateBody(Body):
    image: str = ""
    model: str = "clip"


class InterrogateAnswer(BaseModel):
    caption: str


class PngInfoBody(Body):
    image: str


class PngInfoAnswer(BaseModel):
    info: str
    items: dict[str, Any]
    parameters: dict[str, Any]


class ProgressBody(Body):
    id_task: str | None = None
    id_live_preview: int = -1
    live_preview: bool = True


class ProgressState(BaseModel):
    skipped: bool = False
    interrupted: bool = False
    stopping_generation: bool = False
    job: str = ""
    job_count: int = 0
    job_timestamp: str = "0"
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0


class Progress(BaseModel):
    progress: float = 0
    eta_relative: float = 0
    state: ProgressState = ProgressState()
    current_image: str | None = None
    textinfo: str | None = None
    current_task: str | None = None


class TaskProgress(BaseModel):
    active: bool
    queued: bool
    completed: bool
    progress: float | None = None
    eta: float | None = None
    live_preview: str | None = None
    id_live_preview: int | None = None
    textinfo: str | None = None
