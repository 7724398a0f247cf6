"""Maps that change the tones and the sharpness of a picture, or cut it into pieces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modules.control.preprocessor import (
    Bytes,
    Knob,
    Preprocessor,
    Wish,
    at_resolution,
    grey_as_colour,
    short_side,
)

GAMMA = Knob("Gamma Correction", 0.1, 2.0, 1.0, 0.001)
# Sides of the pieces that are moved around, and of one cell of the colour grid, in pixels.
SHUFFLED, CELL = 256, 64


def invert(picture: Bytes, wish: Wish) -> Bytes:
    return np.asarray(255 - picture, np.uint8)


def threshold(picture: Bytes, wish: Wish) -> Bytes:
    """White where even the darkest channel is above the threshold."""
    return grey_as_colour(np.where(picture.min(axis=2) > wish.a, 255, 0).astype(np.uint8))


def blur_gaussian(picture: Bytes, wish: Wish) -> Bytes:
    import cv2

    return np.asarray(cv2.GaussianBlur(short_side(picture, wish.resolution), (0, 0), wish.a), np.uint8)


def tile_resample(picture: Bytes, wish: Wish) -> Bytes:
    """The picture made smaller by a rate; what is lost is what the drawing adds."""
    import cv2

    if wish.a < 1.1:
        return picture
    size = max(1, int(picture.shape[1] / wish.a)), max(1, int(picture.shape[0] / wish.a))
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA), np.uint8)


def shuffle(picture: Bytes, wish: Wish) -> Bytes:
    """The picture with its pieces flowing to other places: its colours and style, not its content."""
    import cv2

    picture = short_side(picture, wish.resolution)
    height, width = picture.shape[:2]
    lots = np.random.RandomState(wish.seed & 0xFFFFFFFF)
    across = _waves(lots, height, width) * (width - 1)
    down = _waves(lots, height, width) * (height - 1)
    return np.asarray(cv2.remap(picture, across, down, cv2.INTER_LINEAR), np.uint8)


def _waves(lots: np.random.RandomState, height: int, width: int) -> NDArray[np.float32]:
    """Smooth noise, 0 to 1."""
    import cv2

    coarse = lots.uniform(0, 1, (height // SHUFFLED + 2, width // SHUFFLED + 2))
    fine = cv2.resize(coarse, (width + 2 * SHUFFLED, height + 2 * SHUFFLED), interpolation=cv2.INTER_CUBIC)
    cut = fine[SHUFFLED : SHUFFLED + height, SHUFFLED : SHUFFLED + width]
    cut = cut - cut.min()
    return np.asarray(cut / cut.max(), np.float32)


def colour_grid(picture: Bytes, wish: Wish) -> Bytes:
    """Large cells of one colour each."""
    import cv2

    picture = short_side(picture, wish.resolution)
    height, width = picture.shape[:2]
    coarse = cv2.resize(picture, (max(1, width // CELL), max(1, height // CELL)), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def recolor_luminance(picture: Bytes, wish: Wish) -> Bytes:
    """Lightness as the eye sees it (L of L*a*b*)."""
    import cv2

    # The extension takes red for blue here, and models were trained on what it made.
    lightness = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2LAB)[..., 0]
    return _corrected(np.asarray(lightness, np.uint8), wish.a)


def recolor_intensity(picture: Bytes, wish: Wish) -> Bytes:
    """The brightest channel (V of HSV)."""
    return _corrected(picture.max(axis=2), wish.a)


def _corrected(grey: Bytes, gamma: float) -> Bytes:
    return grey_as_colour(((grey.astype(np.float32) / 255) ** gamma * 255).clip(0, 255).astype(np.uint8))


TONES = (
    Preprocessor(
        "invert",
        invert,
        ("Canny", "Lineart", "Scribble", "MLSD"),
        "invert (from white bg & black line)",
        resolution=None,
    ),
    Preprocessor(
        "threshold", at_resolution(threshold), ("Scribble",), a=Knob("Binarization Threshold", 0, 255, 127, 1)
    ),
    Preprocessor("blur_gaussian", blur_gaussian, ("Tile",), a=Knob("Sigma", 0.01, 64, 9)),
    Preprocessor(
        "tile_resample",
        tile_resample,
        ("Tile",),
        resolution=None,
        a=Knob("Down Sampling Rate", 1, 8, 1),
        first=True,
    ),
    Preprocessor("shuffle", shuffle, ("Shuffle",), first=True),
    Preprocessor("color", colour_grid, ("T2I-Adapter",), "t2ia_color_grid", first=True),
    Preprocessor("recolor_luminance", recolor_luminance, ("Recolor",), resolution=None, a=GAMMA, first=True),
    Preprocessor("recolor_intensity", recolor_intensity, ("Recolor",), resolution=None, a=GAMMA),
)
