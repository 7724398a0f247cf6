"""What a detail unit asks: things found in the finished picture, each drawn once more by itself, larger.

Names in JSON and infotext are those of the ADetailer extension for A1111, which clients send and pictures hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from modules.terms.declare import Checkbox, Choice, Number, Slider, Text, param
from modules.terms.errors import BadRequest

NONE = "None"
FACE = "face"
BY_AREA = "Area"
BY_CONFIDENCE = "Confidence"
MERGE = "Merge"
MERGE_AND_INVERT = "Merge and Invert"
LEFT_TO_RIGHT = "Position (left to right)"
CENTRE_TO_EDGE = "Position (center to edge)"
LARGE_TO_SMALL = "Area (large to small)"
ORDERS = (NONE, LEFT_TO_RIGHT, CENTRE_TO_EDGE, LARGE_TO_SMALL)
# Between prompts of several things; standing for the main prompt; and for a thing that stays as it is.
SEPARATOR, MAIN_PROMPT, SKIP = "[SEP]", "[PROMPT]", "[SKIP]"


@dataclass(frozen=True)
class DetailUnit:
    """One search and how its findings are redrawn. Empty texts and None mean: as in the picture itself.

    prompt, negative_prompt: parted by [SEP] they are for one finding each, in order; the last one serves the rest.
    [PROMPT] stands for the main one, [SKIP] leaves a finding alone. y_offset: pixels upwards.
    width, height: the size in which a finding is drawn.
    """

    model: str = param(
        FACE,
        "Detector",
        Choice(listing="detectors"),
        key="ad_model",
        infotext="ADetailer model",
    )
    classes: str = param(
        "",
        "Detector classes",
        Text(),
        key="ad_model_classes",
        infotext="ADetailer model classes",
        help="Names of what a detector may find, parted by commas; empty for everything that it knows.",
    )
    prompt: str = param(
        "",
        "Detail prompt",
        Text(2),
        key="ad_prompt",
        infotext="ADetailer prompt",
        help="Empty: the main prompt. [SEP] parts prompts for one face after the other, [SKIP] leaves one alone.",
    )
    negative_prompt: str = param(
        "", "Detail negative prompt", Text(2), key="ad_negative_prompt", infotext="ADetailer negative prompt"
    )
    confidence: float = param(
        0.3,
        "Detection confidence threshold",
        Slider(0, 1, 0.01, strict=True),
        key="ad_confidence",
        infotext="ADetailer confidence",
    )
    ranked_by: str = param(
        BY_AREA,
        "Keep by",
        Choice((BY_AREA, BY_CONFIDENCE), radio=True),
        key="ad_mask_filter_method",
        infotext="ADetailer method to decide top k masks",
    )
    most: int = param(
        0,
        "At most so many (0: all)",
        Slider(0, 10),
        key="ad_mask_k",
        infotext="ADetailer mask only top k",
    )
    min_ratio: float = param(
        0.0,
        "Smallest share of the picture",
        Slider(0, 1, 0.001, strict=True),
        key="ad_mask_min_ratio",
        infotext="ADetailer mask min ratio",
    )
    max_ratio: float = param(
        1.0,
        "Largest share of the picture",
        Slider(0, 1, 0.001, strict=True),
        key="ad_mask_max_ratio",
        infotext="ADetailer mask max ratio",
    )
    x_offset: int = param(
        0, "Mask offset to the right", Slider(-200, 200), key="ad_x_offset", infotext="ADetailer x offset"
    )
    y_offset: int = param(0, "Mask offset upwards", Slider(-200, 200), key="ad_y_offset", infotext="ADetailer y offset")
    dilate: int = param(
        4,
        "Mask erosion (-) / dilation (+)",
        Slider(-128, 128, 4),
        key="ad_dilate_erode",
        infotext="ADetailer dilate erode",
    )
    merge: str = param(
        NONE,
        "Mask merge mode",
        Choice((NONE, MERGE, MERGE_AND_INVERT), radio=True),
        key="ad_mask_merge_invert",
        infotext="ADetailer mask merge invert",
    )
    mask_blur: int = param(4, "Detail mask blur", Slider(0, 64), key="ad_mask_blur", infotext="ADetailer mask blur")
    denoising_strength: float = param(
        0.4,
        "Detail denoising strength",
        Slider(0, 1, 0.01, strict=True),
        key="ad_denoising_strength",
        infotext="ADetailer denoising strength",
    )
    only_masked: bool = param(
        True,
        "Draw only the masked part",
        Checkbox(),
        key="ad_inpaint_only_masked",
        infotext="ADetailer inpaint only masked",
    )
    padding: int = param(
        32,
        "Padding around it, pixels",
        Slider(0, 256, 4),
        key="ad_inpaint_only_masked_padding",
        infotext="ADetailer inpaint padding",
    )
    width: int | None = param(
        None, "Detail width", Number(64, 4096, integer=True), key="ad_inpaint_width", infotext="ADetailer inpaint width"
    )
    height: int | None = param(
        None,
        "Detail height",
        Number(64, 4096, integer=True),
        key="ad_inpaint_height",
        infotext="ADetailer inpaint height",
    )
    steps: int | None = param(
        None, "Detail steps", Number(1, 1000, integer=True), key="ad_steps", infotext="ADetailer steps"
    )
    cfg_scale: float | None = param(
        None, "Detail CFG scale", Number(0), key="ad_cfg_scale", infotext="ADetailer CFG scale"
    )
    checkpoint: str = param(
        "", "Detail checkpoint", Choice(listing="checkpoints"), key="ad_checkpoint", infotext="ADetailer checkpoint"
    )
    vae: str = param("", "Detail VAE", Choice(listing="vae"), key="ad_vae", infotext="ADetailer VAE")
    sampler: str = param(
        "", "Detail sampler", Choice(listing="samplers"), key="ad_sampler", infotext="ADetailer sampler"
    )
    scheduler: str = param(
        "", "Detail schedule type", Choice(listing="schedulers"), key="ad_scheduler", infotext="ADetailer scheduler"
    )
    noise_multiplier: float | None = param(
        None,
        "Detail noise multiplier",
        Number(0, 1.5),
        key="ad_noise_multiplier",
        infotext="ADetailer noise multiplier",
    )
    clip_skip: int | None = param(
        None, "Detail clip skip", Number(1, 12, integer=True), key="ad_clip_skip", infotext="ADetailer CLIP skip"
    )
    restore_face: bool = param(
        False, "Restore faces after it", Checkbox(), key="ad_restore_face", infotext="ADetailer restore face"
    )
    control_model: str = param(
        NONE,
        "ControlNet model",
        Choice(listing="control_models"),
        key="ad_controlnet_model",
        infotext="ADetailer ControlNet model",
    )
    control_module: str = param(
        NONE,
        "ControlNet preprocessor",
        Choice(listing="control_modules"),
        key="ad_controlnet_module",
        infotext="ADetailer ControlNet module",
    )
    control_weight: float = param(
        1.0,
        "ControlNet weight",
        Slider(0, 1, 0.01, strict=True),
        key="ad_controlnet_weight",
        infotext="ADetailer ControlNet weight",
    )
    control_start: float = param(
        0.0,
        "ControlNet start",
        Slider(0, 1, 0.01, strict=True),
        key="ad_controlnet_guidance_start",
        infotext="ADetailer ControlNet guidance start",
    )
    control_end: float = param(
        1.0,
        "ControlNet end",
        Slider(0, 1, 0.01, strict=True),
        key="ad_controlnet_guidance_end",
        infotext="ADetailer ControlNet guidance end",
    )

    def check(self) -> None:
        """Raises: BadRequest for what each knob by itself does not tell."""
        if self.min_ratio > self.max_ratio:
            raise BadRequest(
                f"A detail unit looks for shares of the picture from {self.min_ratio:g} to {self.max_ratio:g}: nothing "
                "is in between. ad_mask_min_ratio must not be above ad_mask_max_ratio."
            )
        for name, value in (("ad_mask_k", self.most), ("ad_mask_blur", self.mask_blur)):
            if value < 0:
                raise BadRequest(f"{name} is {value}, but must be at least 0.")


@dataclass(frozen=True)
class DetailPass:
    """What happens to every finished picture, unit by unit.

    skip_img2img: the picture of img2img is not redrawn first; only its details are.
    """

    units: tuple[DetailUnit, ...] = ()
    skip_img2img: bool = False
