"""Colours of one picture brought into another: histograms matched in CIELAB, brightness kept.

8-bit Lab is scaled as OpenCV scales it: L * 255 / 100, a + 128, b + 128, rounded. Source: spec/sampling.md §12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]

# Linear sRGB -> XYZ, each row divided by the white point D65. Source: IEC 61966-2-1.
RGB_TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]], np.float32
) / np.array([[0.950456], [1.0], [1.088754]], np.float32)
XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ).astype(np.float32)
# Luma of Rec. 601.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def matched_colours(picture: Image.Image, target: Image.Image) -> Image.Image:
    """`picture`, RGB, with the colours of `target` and its own brightness. The sizes may differ."""
    own = np.asarray(picture.convert("RGB"))
    lab, wanted = to_lab(own), to_lab(np.asarray(target.convert("RGB")))
    channels = [matched_histogram(lab[..., channel], wanted[..., channel]) for channel in range(3)]
    recoloured = from_lab(np.stack(channels, axis=-1))
    return Image.fromarray(with_luma_of(recoloured, own))


def matched_histogram(values: Bytes, wanted: Bytes) -> Bytes:
    """`values`, each replaced by what stands at its rank in `wanted`; between two ranks interpolated, then cut off."""
    ranks = np.bincount(values.ravel(), minlength=256).cumsum() / values.size
    counts = np.bincount(wanted.ravel(), minlength=256)
    there = counts.nonzero()[0]
    mapped = np.interp(ranks, counts[there].cumsum() / wanted.size, there)
    result: Bytes = mapped.astype(np.uint8)[values]
    return result


def with_luma_of(picture: Bytes, bright: Bytes) -> Bytes:
    """Hue and saturation of `picture` with the luma of `bright`: the blend mode "luminosity". Both (H, W, 3).

    Source: W3C Compositing and Blending Level 1, SetLum and ClipColor.
    """
    colours = picture.astype(np.float32) / 255
    colours += ((bright.astype(np.float32) / 255 - colours) @ LUMA)[..., None]
    luma = (colours @ LUMA)[..., None]
    low, high = colours.min(axis=-1, keepdims=True), colours.max(axis=-1, keepdims=True)
    around = colours - luma
    colours = np.where(low < 0, luma + around * luma / np.maximum(luma - low, 1e-6), colours)
    colours = np.where(high > 1, luma + around * (1 - luma) / np.maximum(high - luma, 1e-6), colours)
    return _bytes(colours * 255)


def to_lab(rgb: Bytes) -> Bytes:
    """(…, 3) sRGB -> 8-bit Lab."""
    steps = np.arange(256, dtype=np.float32) / 255
    linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4).astype(np.float32)[rgb]
    xyz = linear @ RGB_TO_XYZ.T
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    lab = np.stack([(116 * y - 16) * 2.55, 500 * (x - y) + 128, 200 * (y - z) + 128], axis=-1)
    return _bytes(lab)


def from_lab(lab: Bytes) -> Bytes:
    """(…, 3) 8-bit Lab -> sRGB; colours that it does not have are cut off."""
    y = (lab[..., 0] / np.float32(2.55) + 16) / 116
    root = np.stack([y + (lab[..., 1] - np.float32(128)) / 500, y, y - (lab[..., 2] - np.float32(128)) / 200], axis=-1)
    xyz = np.where(root > 0.206893, root**3, (root - 16 / 116) / 7.787)
    linear = (xyz @ XYZ_TO_RGB.T).clip(0, 1)
    return _bytes(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055) * 255)


def _bytes(values: NDArray[np.floating[Any]]) -> Bytes:
    rounded: Bytes = np.rint(values).clip(0, 255).astype(np.uint8)
    return rounded
