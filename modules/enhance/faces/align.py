"""A face upright in a square of 512 pixels, as the networks that repair faces were trained on, and back again."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 512
# Where the eyes, the nose and the corners of the mouth of an upright face are (x, y): the mean of the FFHQ data set.
UPRIGHT = np.array(
    [
        [192.98138, 239.94708],
        [318.90277, 240.19360],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ]
)
# The grey that facexlib shows beyond the border of a picture.
BEYOND = (135, 133, 132)
SOFT_EDGE = SIDE // 10

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


def similarity(points: Floats, targets: Floats) -> Floats:
    """The turn, even scaling and shift (2, 3) that bring `points` (N, 2) closest to `targets`, N of two or more.

    Raises: ValueError if the points are all one. Source: Umeyama (1991), in the complex plane.
    """
    there, here = targets[:, 0] + 1j * targets[:, 1], points[:, 0] + 1j * points[:, 1]
    centre_there, centre_here = there.mean(), here.mean()
    spread = np.sum(np.abs(here - centre_here) ** 2)
    if spread == 0:
        raise ValueError("The points of a face lie all in one place.")
    turn = np.sum((there - centre_there) * np.conj(here - centre_here)) / spread
    shift = centre_there - turn * centre_here
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def to_square(points: Floats) -> Floats:
    """The transform (2, 3) from a picture to the square, by the eyes alone (2 points) or all five."""
    return similarity(points, UPRIGHT[: len(points)])


def upright(picture: Pixels, transform: Floats) -> Pixels:
    """The square (512, 512, 3) that `transform` takes out of `picture` (H, W, 3)."""
    square = cv2.warpAffine(
        picture, transform, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=BEYOND
    )
    return np.asarray(square, np.uint8)


def put_back(picture: Pixels, square: Pixels, transform: Floats) -> Pixels:
    """`picture` with `square` where it was taken from; its border fades into the picture. Pixels outside stay."""
    box = box_of(transform, picture.shape[1], picture.shape[0])
    if box is None:
        return picture
    left, top, right, bottom = box
    square, mask, back = _at_size(square, np.asarray(cv2.invertAffineTransform(transform), np.float64))
    back[:, 2] -= (left, top)
    size = right - left, bottom - top
    repaired = np.asarray(cv2.warpAffine(square, back, size, borderMode=cv2.BORDER_REPLICATE), np.float32)
    share = np.asarray(cv2.warpAffine(mask, back, size), np.float32)[..., None]
    result: Pixels = picture.copy()
    old = picture[top:bottom, left:right]
    blended = np.rint(repaired * share + old * (1 - share)).clip(0, 255)
    result[top:bottom, left:right] = np.where(share > 0, blended, old)
    return result


def _at_size(square: Pixels, back: Floats) -> tuple[Pixels, NDArray[np.float32], Floats]:
    """`square`, its mask and the way back into the picture; if that makes smaller, both are averaged down first."""
    side = min(SIDE, max(1, round(SIDE * float(np.hypot(back[0, 0], back[1, 0])))))
    if side == SIDE:
        return square, soft_mask(), back
    factor = SIDE / side
    # Centres of pixels, not corners, are where they are: half a large one is not half a small one.
    larger = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])
    small = np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    mask = np.asarray(cv2.resize(soft_mask(), (side, side), interpolation=cv2.INTER_AREA), np.float32)
    return small, mask, np.vstack([back, [0, 0, 1]])[:2] @ larger


def box_of(transform: Floats, width: int, height: int) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of what the square covers of a picture; None if it lies outside."""
    corners = np.array([[0, 0, 1], [SIDE, 0, 1], [0, SIDE, 1], [SIDE, SIDE, 1]], float)
    places = corners @ cv2.invertAffineTransform(transform).T
    left, top = np.floor(places.min(axis=0)).astype(int).clip(0)
    right, bottom = np.minimum(np.ceil(places.max(axis=0)).astype(int), (width, height))
    return (int(left), int(top), int(right), int(bottom)) if right > left and bottom > top else None


def soft_mask() -> NDArray[np.float32]:
    """(512, 512): 1 inside, falling to 0 over the outer tenth on each side, without a kink."""
    rise: NDArray[Any] = 0.5 - 0.5 * np.cos(np.pi * np.arange(SOFT_EDGE) / SOFT_EDGE)
    line = np.concatenate([rise, np.ones(SIDE - 2 * SOFT_EDGE), rise[::-1]])
    return np.asarray(np.outer(line, line), np.float32)
