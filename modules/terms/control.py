"""What a ControlNet unit asks: a picture that steers the drawing, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modules.terms.declare import Checkbox, Choice, Number, Slider, param
from modules.terms.errors import BadRequest

if TYPE_CHECKING:
    from PIL.Image import Image

NONE = "None"
BALANCED = "Balanced"
PROMPT_FIRST = "My prompt is more important"
CONTROL_FIRST = "ControlNet is more important"
CONTROL_MODES = (BALANCED, PROMPT_FIRST, CONTROL_FIRST)
STRETCH = "Just Resize"
CROP = "Crop and Resize"
FILL = "Resize and Fill"
RESIZE_MODES = (STRETCH, CROP, FILL)
BOTH_PASSES = "Both"
HIRES_OPTIONS = (BOTH_PASSES, "Low res only", "High res only")

PassName = Literal["first", "hires"]
_ONLY: dict[PassName, str] = {"first": HIRES_OPTIONS[1], "hires": HIRES_OPTIONS[2]}


@dataclass(frozen=True)
class ControlUnit:
    """One unit. The labels are those of the ControlNet extension for A1111, which clients send and infotext shows.

    image: what steers; None means the picture that img2img starts from. mask (L): white is repainted, for
    inpainting preprocessors. region (L): where the unit acts, None for everywhere.
    processor_res, threshold_a, threshold_b: -1 means as the preprocessor is made for.
    layer_weights: one for each feature map from fine to coarse, instead of those of the control mode.
    crop_to_mask: where img2img draws only what its mask covers, that part of `image` steers.
    """

    module: str = param("none", "Preprocessor", Choice(listing="control_modules"), infotext="Module")
    model: str = param(NONE, "Model", Choice(listing="control_models"), infotext="Model")
    weight: float = param(1.0, "Control Weight", Slider(0, 2, 0.05, strict=True), infotext="Weight")
    image: Image | None = None
    mask: Image | None = None
    region: Image | None = None
    resize_mode: str = param(CROP, "Resize Mode", Choice(RESIZE_MODES, radio=True), infotext="Resize Mode")
    processor_res: int = param(-1, "Resolution", Number(-1, 8192, integer=True), infotext="Processor Res")
    threshold_a: float = param(-1.0, "Threshold A", Number(), infotext="Threshold A")
    threshold_b: float = param(-1.0, "Threshold B", Number(), infotext="Threshold B")
    guidance_start: float = param(
        0.0, "Starting Control Step", Slider(0, 1, 0.01, strict=True), infotext="Guidance Start"
    )
    guidance_end: float = param(1.0, "Ending Control Step", Slider(0, 1, 0.01, strict=True), infotext="Guidance End")
    pixel_perfect: bool = param(False, "Pixel Perfect", Checkbox(), infotext="Pixel Perfect")
    control_mode: str = param(BALANCED, "Control Mode", Choice(CONTROL_MODES, radio=True), infotext="Control Mode")
    low_vram: bool = param(False, "Low VRAM", Checkbox())
    hires_option: str = param(
        BOTH_PASSES, "Hires-Fix Option", Choice(HIRES_OPTIONS), key="hr_option", infotext="Hr Option"
    )
    crop_to_mask: bool = param(
        True, "Crop input image based on the inpaint mask", Checkbox(), key="inpaint_crop_input_image"
    )
    save_detected_map: bool = param(True, "Show the map", Checkbox())
    layer_weights: tuple[float, ...] | None = None

    def acts_in(self, this: PassName, *, hires: bool) -> bool:
        """Whether the unit acts in a pass. Which it shall act in counts only where there is a `hires` pass."""
        return self.weight > 0 and (not hires or self.hires_option in (BOTH_PASSES, _ONLY[this]))

    def check(self) -> None:
        """Raises: BadRequest for what each knob by itself does not tell."""
        if self.guidance_start > self.guidance_end:
            raise BadRequest(
                f"A ControlNet unit starts at {self.guidance_start:g} but ends at {self.guidance_end:g}. "
                "guidance_start must not be above guidance_end."
            )
        if self.processor_res != -1 and self.processor_res < 64:
            raise BadRequest(f"processor_res is {self.processor_res}, but must be at least 64, or -1 for the default.")
