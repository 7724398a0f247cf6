"""The pictures that ControlNet units look at, and what some of them lay over the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from modules.control.hints import Bytes, fitted, pixel_perfect_resolution
from modules.control.preprocessor import Preprocessor
from modules.generation.session import Session
from modules.generation.source import Prepared
from modules.imaging.masks import prepared_mask
from modules.imaging.resize import ResizeMode
from modules.terms.control import CROP, FILL, STRETCH, ControlUnit
from modules.terms.errors import BadRequest
from modules.terms.request import Mask

OF_SOURCE = {ResizeMode.CROP: CROP, ResizeMode.FILL: FILL}
# An alpha channel between these says something; all below or all above is a picture without a mask.
NEARLY_NONE, NEARLY_ALL = 5, 250
# How far the edge of a repainted place is softened, in pixels.
SEAM = 7


@dataclass(frozen=True)
class ControlPictures:
    """What one unit looks at: one picture for all of a batch, or one for each; (h, w, 3), or 4 with a mask."""

    pictures: tuple[Bytes, ...]
    resize_mode: str


def pictures_for(
    unit: ControlUnit, preprocessor: Preprocessor, session: Session, prepared: Prepared | None
) -> ControlPictures:
    """The unit's own picture, else those that img2img starts from. Raises: BadRequest without either."""
    source = session.request.source
    if unit.image is not None:
        given, mode = [with_mask(unit.image, unit.mask, preprocessor)], unit.resize_mode
    elif source is not None:
        mask = mask_of(source.mask) if source.mask and preprocessor.takes_mask else None
        mode = OF_SOURCE.get(ResizeMode(source.resize_mode), STRETCH)
        given = [with_mask(image, mask, preprocessor) for image in source.images]
    else:
        raise BadRequest(
            f"The ControlNet unit with {unit.model} has no picture. Give it one (image), or start from a picture."
        )
    region = prepared.region if prepared else None
    if region is not None and region.box is not None and (unit.crop_to_mask or unit.image is None):
        width, height = region.overlay.size
        left, top, right, bottom = region.box
        given = [fitted(one, width, height, mode)[top:bottom, left:right] for one in given]
    return ControlPictures(tuple(given), mode)


def mask_of(mask: Mask) -> Image.Image:
    """The mask of img2img as it is applied there."""
    return prepared_mask(mask.image, invert=mask.invert, blur_x=mask.blur_x, blur_y=mask.blur_y, round_alpha=mask.round)


def with_mask(image: Image.Image, mask: Image.Image | None, preprocessor: Preprocessor) -> Bytes:
    """`image` as numbers: with `mask` (or nothing masked) as fourth channel for preprocessors that take one.

    For others a mask that covers a part is the picture itself: what a person scribbled on a canvas.
    """
    pixels = np.asarray(image.convert("RGB"))
    if mask is None:
        cover = np.zeros(pixels.shape[:2], np.uint8)
    else:
        grey = mask.convert("L")
        cover = np.asarray(grey if grey.size == image.size else grey.resize(image.size))
    if preprocessor.takes_mask:
        return np.dstack([pixels, cover])
    if (cover <= NEARLY_NONE).all() or (cover >= NEARLY_ALL).all():
        return pixels
    return np.dstack([cover] * 3)


def maps_of(
    unit: ControlUnit, preprocessor: Preprocessor, looked: ControlPictures, session: Session
) -> tuple[Bytes, ...]:
    """What the preprocessor makes of each picture. Raises: BadRequest if it cannot be run here."""
    request = session.request
    made = []
    for picture in looked.pictures:
        resolution: float = unit.processor_res
        if unit.pixel_perfect:
            size = picture.shape[1], picture.shape[0]
            resolution = pixel_perfect_resolution(size, request.width, request.height, looked.resize_mode)
        wish = preprocessor.wish(
            resolution,
            unit.threshold_a,
            unit.threshold_b,
            seed=request.seed + request.subseed,
            models=session.tools.controls.annotators,
        )
        made.append(preprocessor(picture, wish))
    return tuple(made)


def shown(map_: Bytes) -> Image.Image:
    """A map as a picture for people: what is masked is half transparent."""
    if map_.shape[2] == 3:
        return Image.fromarray(map_)
    return Image.fromarray(np.dstack([map_[..., :3], 255 - map_[..., 3] // 2]))


def laid_over(picture: Image.Image, maps: Sequence[Bytes], place: int, module: str) -> Image.Image:
    """`picture` as some preprocessors finish it: with the original where it was not masked, or with its brightness.

    maps: at the size of `picture`; the one of `place` counts, or the only one.
    """
    map_ = maps[place] if place < len(maps) else maps[0]
    if (picture.height, picture.width) != map_.shape[:2]:
        return picture
    if map_.shape[2] == 4:
        return unmasked_kept(picture, map_)
    import cv2

    pixels = np.asarray(picture.convert("RGB"))
    if "intensity" in module:
        there, back, channel = cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB, 2
    else:
        there, back, channel = cv2.COLOR_RGB2LAB, cv2.COLOR_LAB2RGB, 0
    changed = cv2.cvtColor(pixels, there)
    changed[..., channel] = map_[..., 0]
    return Image.fromarray(np.asarray(cv2.cvtColor(changed, back), np.uint8))


def unmasked_kept(picture: Image.Image, original: Bytes) -> Image.Image:
    """`picture` where `original`'s mask is white, `original` elsewhere; the seam is soft, and lies outside the mask."""
    import cv2

    mask = original[..., 3].astype(np.float32) / 255
    soft = cv2.blur(cv2.dilate(mask, np.ones((SEAM, SEAM), np.uint8)), (SEAM, SEAM))[..., None]
    drawn = np.asarray(picture.convert("RGB"), np.float32)
    mixed = soft * drawn + (1 - soft) * original[..., :3]
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))
