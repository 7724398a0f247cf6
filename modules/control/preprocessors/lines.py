"""Maps of lines and edges that need no network."""

from __future__ import annotations

import numpy as np

from modules.control.preprocessor import Bytes, Knob, Preprocessor, Wish, at_resolution, grey_as_colour


def canny(picture: Bytes, wish: Wish) -> Bytes:
    """Canny's edges between two thresholds."""
    import cv2

    return grey_as_colour(np.asarray(cv2.Canny(picture, int(wish.a), int(wish.b)), np.uint8))


def scribble_xdog(picture: Bytes, wish: Wish) -> Bytes:
    """White lines where a fine and a coarse blur differ by more than half of the threshold."""
    import cv2

    pixels = picture.astype(np.float32)
    difference = cv2.GaussianBlur(pixels, (0, 0), 5.0) - cv2.GaussianBlur(pixels, (0, 0), 0.5)
    inverse = (255 - difference.min(axis=2)).clip(0, 255).astype(np.uint8)
    strength = 2 * (255 - inverse.astype(np.int32))
    return grey_as_colour(np.where(strength > wish.a, 255, 0).astype(np.uint8))


def lineart_standard(picture: Bytes, wish: Wish) -> Bytes:
    """White lines on black, of dark lines on a bright picture."""
    import cv2

    pixels = picture.astype(np.float32)
    darkness = (cv2.GaussianBlur(pixels, (0, 0), 6.0) - pixels).min(axis=2).clip(0, 255)
    clear = darkness[darkness > 8]
    darkness *= 127 / max(16.0, float(np.median(clear)) if clear.size else 0.0)
    return grey_as_colour(darkness.clip(0, 255).astype(np.uint8))


def softedge_sobel(picture: Bytes, wish: Wish) -> Bytes:
    """Soft edges: how fast the brightness changes, relative to the strongest edges of the picture."""
    import cv2

    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), max(wish.a, 0.01))
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    strongest = float(np.percentile(slope, 99.5))
    if strongest <= 0:
        return np.zeros_like(picture)
    return grey_as_colour((np.sqrt(slope / strongest) * 255).clip(0, 255).astype(np.uint8))


LINES = (
    Preprocessor(
        "canny",
        at_resolution(canny),
        ("Canny",),
        a=Knob("Low Threshold", 1, 255, 100, 1),
        b=Knob("High Threshold", 1, 255, 200, 1),
        first=True,
        soft_in_hires=True,
    ),
    Preprocessor(
        "scribble_xdog",
        at_resolution(scribble_xdog),
        ("Scribble",),
        a=Knob("XDoG Threshold", 1, 64, 32),
        first=True,
    ),
    Preprocessor(
        "lineart_standard",
        at_resolution(lineart_standard),
        ("Lineart",),
        "lineart_standard (from white bg & black line)",
        first=True,
    ),
    Preprocessor(
        "softedge_sobel", at_resolution(softedge_sobel), ("SoftEdge",), a=Knob("Smoothing", 0.5, 8, 1.5), first=True
    ),
)
