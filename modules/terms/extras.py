"""What one press of Generate on the Extras tab asks for: pictures that are there, and what is done to them in turn.

A step that is None is not asked for. Source: spec/features.md §5, spec/training.md §8.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modules.terms.declare import Checkbox, Choice, Slider, param, params_of
from modules.terms.errors import BadRequest

if TYPE_CHECKING:
    from PIL.Image import Image

BY, TO = 0, 1
HORIZONTAL, VERTICAL, BOTH = "Horizontal", "Vertical", "Both"
MAXIMIZE_AREA, MINIMIZE_ERROR = "Maximize area", "Minimize error"
DEEPBOORU, BLIP = "Deepbooru", "BLIP"
MAX_PIXELS = 1 << 28
# A1111's names of the steps, in the order in which they run: settings order them and leave some out by these.
STEP_NAMES = (
    *("Upscale", "GFPGAN", "CodeFormer", "Split oversized images", "Auto focal point crop", "Auto-sized crop"),
    *("Create flipped copies", "Caption"),
)


@dataclass(frozen=True)
class ExtrasPicture:
    """A picture, the name of its file without suffix ("" if it has none), and the texts that were inside the file."""

    image: Image
    name: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Upscaling:
    """`mode` BY takes `scale` and `max_side` (0: no limit), TO takes `width`, `height` and `crop`."""

    mode: int = param(BY, "Resize", Choice((BY, TO)), key="resize_mode")
    scale: float = param(4.0, "Scale by", Slider(1, 8, 0.05), key="upscaling_resize")
    max_side: int = param(0, "Max side length", Slider(0, 16384, 64), key="upscaling_max_side")
    width: int = param(512, "Width", Slider(64, 8192, 8), key="upscaling_resize_w")
    height: int = param(512, "Height", Slider(64, 8192, 8), key="upscaling_resize_h")
    crop: bool = param(True, "Crop to fit", Checkbox(), key="upscaling_crop")
    upscaler: str = param("None", "Upscaler 1", Choice(listing="pixel_upscalers"), key="upscaler_1")
    upscaler_2: str = param("None", "Upscaler 2", Choice(listing="pixel_upscalers"))
    upscaler_2_visibility: float = param(
        0.0, "Upscaler 2 visibility", Slider(0, 1, 0.001, strict=True), key="extras_upscaler_2_visibility"
    )


@dataclass(frozen=True)
class FaceRepair:
    """How much of the repaired face shows; 0 leaves a restorer out."""

    gfpgan_visibility: float = param(0.0, "GFPGAN visibility", Slider(0, 1, 0.001, strict=True))
    codeformer_visibility: float = param(0.0, "CodeFormer visibility", Slider(0, 1, 0.001, strict=True))
    codeformer_weight: float = param(
        0.0, "CodeFormer weight", Slider(0, 1, 0.001, strict=True), help="0 changes faces most, 1 least."
    )


@dataclass(frozen=True)
class SplitOversized:
    """Cuts long pictures into parts of the target's proportions."""

    threshold: float = param(0.5, "Threshold", Slider(0, 1, 0.05, strict=True))
    overlap: float = param(0.2, "Overlap ratio", Slider(0, 0.9, 0.05, strict=True))


@dataclass(frozen=True)
class FocalCrop:
    """Crops around what draws the eye."""

    face_weight: float = param(0.9, "Focal point face weight", Slider(0, 1, 0.05, strict=True))
    entropy_weight: float = param(0.15, "Focal point entropy weight", Slider(0, 1, 0.05, strict=True))
    edges_weight: float = param(0.5, "Focal point edges weight", Slider(0, 1, 0.05, strict=True))
    debug: bool = param(False, "Create debug image", Checkbox())


@dataclass(frozen=True)
class AutoCrop:
    """Crops to the size, in steps of 64, that loses least."""

    min_side: int = param(384, "Dimension lower bound", Slider(64, 2048, 8))
    max_side: int = param(768, "Dimension upper bound", Slider(64, 2048, 8))
    min_area: int = param(64 * 64, "Area lower bound", Slider(64 * 64, 2048 * 2048, 1))
    max_area: int = param(640 * 640, "Area upper bound", Slider(64 * 64, 2048 * 2048, 1))
    objective: str = param(MAXIMIZE_AREA, "Resizing objective", Choice((MAXIMIZE_AREA, MINIMIZE_ERROR), radio=True))
    threshold: float = param(0.1, "Error threshold", Slider(0, 1, 0.01, strict=True))


@dataclass(frozen=True)
class FlippedCopies:
    """Adds mirrored copies."""

    ways: tuple[str, ...] = param((HORIZONTAL,), "Create", Choice((HORIZONTAL, VERTICAL, BOTH), many=True))


@dataclass(frozen=True)
class Captioning:
    """Writes a caption beside the picture."""

    ways: tuple[str, ...] = param((BLIP,), "Caption with", Choice((DEEPBOORU, BLIP), many=True))


@dataclass(frozen=True)
class ExtrasRequest:
    """Pictures, or all that lie in `folder`. Results of a folder go to `output_folder`, if it is named.

    show_results: whether those of a folder are shown, too. scripts: name of an extension's script -> its values by
    name; one that is not named works with what its fields begin with.
    """

    pictures: tuple[ExtrasPicture, ...] = ()
    folder: str = ""
    output_folder: str = ""
    show_results: bool = True
    upscaling: Upscaling | None = None
    faces: FaceRepair | None = None
    split: SplitOversized | None = None
    focal_crop: FocalCrop | None = None
    auto_crop: AutoCrop | None = None
    flips: FlippedCopies | None = None
    captions: Captioning | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    scripts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[object, ...]:
        """What is asked for, in no order."""
        asked = (self.upscaling, self.faces, self.split, self.focal_crop, self.auto_crop, self.flips, self.captions)
        return tuple(step for step in asked if step is not None)

    def check(self) -> None:
        """Raises: BadRequest naming the first value that cannot be honoured and what would be."""
        if not self.pictures and not self.folder:
            raise BadRequest("There is no picture to work on: drop one on the tab, or name a folder.")
        for step in self.steps:
            for name, declared in params_of(type(step)).items():
                wrong = declared.control.check(getattr(step, name))
                if wrong:
                    raise BadRequest(f"{declared.label} ({declared.key}) is {getattr(step, name)!r}, but {wrong}.")
        if self.upscaling is not None:
            _check_size(self.upscaling, self.pictures)
        if self.auto_crop is not None and self.auto_crop.min_side > self.auto_crop.max_side:
            raise BadRequest("Auto-sized crop: the lower bound of the sides is above the upper one.")

    def with_(self, **changes: object) -> ExtrasRequest:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def _check_size(upscaling: Upscaling, pictures: tuple[ExtrasPicture, ...]) -> None:
    if upscaling.mode == TO:
        if min(upscaling.width, upscaling.height) < 1:
            raise BadRequest(
                f"{upscaling.width}x{upscaling.height} is no size for a picture. Both sides must be at least 1."
            )
        if upscaling.width * upscaling.height > MAX_PIXELS:
            raise BadRequest(f"{upscaling.width}x{upscaling.height} are too many pixels: lower the size.")
    elif upscaling.scale <= 0:
        raise BadRequest(f"Scale by (upscaling_resize) is {upscaling.scale}, but must be above 0.")
    for picture in pictures:
        check_pixels(upscaling, picture.image)


def check_pixels(upscaling: Upscaling, image: Image) -> None:
    """Raises: BadRequest if `image` would become too large to be held."""
    if upscaling.mode == TO:
        # It is made to cover the size before it is cut or squeezed.
        scale = max(upscaling.width / image.width, upscaling.height / image.height)
        pixels = image.width * image.height * scale**2
        if pixels > MAX_PIXELS:
            raise BadRequest(
                f"A picture of {image.width}x{image.height} is too long and narrow for this size: on the way it would "
                f"have {pixels / 1e6:.0f} megapixels. Cut it first."
            )
        return
    longest = max(image.size) * upscaling.scale
    scale = upscaling.scale if not 0 < upscaling.max_side < longest else upscaling.max_side / max(image.size)
    if image.width * scale * image.height * scale > MAX_PIXELS:
        raise BadRequest(
            f"{image.width}x{image.height} times {upscaling.scale:g} are too many pixels: more than "
            f"{MAX_PIXELS // 1_000_000} million. Scale by less, or set a max side length."
        )


TYPES: tuple[type, ...] = (
    *(ExtrasRequest, ExtrasPicture, Upscaling, FaceRepair),
    *(SplitOversized, FocalCrop, AutoCrop, FlippedCopies, Captioning),
)
