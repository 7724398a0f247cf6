"""The Gaussian blur of OpenCV for 8-bit pictures, to the last bit, without OpenCV.

A mask decides which latents change, so a blur that differs in one pixel draws another picture than A1111's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]

# OpenCV keeps the weights in 8 bits after the point for 8-bit pictures.
ONE = 256


def blur_mask(mask: Image.Image, sigma_x: float, sigma_y: float) -> Image.Image:
    """A mode L `mask` blurred along x, then along y, as A1111 does it. 0 leaves a direction alone."""
    pixels = np.asarray(mask.convert("L"))
    return Image.fromarray(blur_along(blur_along(pixels, sigma_x, 1), sigma_y, 0))


def blur_along(pixels: Bytes, sigma: float, axis: int) -> Bytes:
    """`pixels` (height, width) blurred along one axis; beyond the border they go back the way they came."""
    weights = fixed_weights(sigma) if sigma > 0 else [ONE]
    if len(weights) == 1:
        return pixels
    from scipy.ndimage import correlate1d

    # In whole numbers, so that the float64 that SciPy adds in holds every sum exactly.
    total = correlate1d(pixels, weights, axis=axis, output=np.float64, mode="mirror")
    rounded: Bytes = ((total.astype(np.int32) + ONE // 2) >> 8).clip(0, 255).astype(np.uint8)
    return rounded


def fixed_weights(sigma: float) -> list[int]:
    """The weights of the blur in 256ths, odd in number and symmetric; they sum to 256.

    Rounding errors are carried on towards the middle, as OpenCV does since 4.5. Reach: 2.5 sigma, as A1111 asks for.
    """
    reach = int(2.5 * sigma + 0.5)
    if reach == 0:
        return [ONE]
    places = np.arange(-reach, reach + 1, dtype=np.float64)
    exact = np.exp(places**2 * (-0.5 / (float(sigma) ** 2)))
    exact /= exact.sum()
    outer: list[int] = []
    error = 0.0
    for weight in exact[:reach]:
        wanted = weight * ONE + error
        outer.append(round(wanted))
        error = wanted - outer[-1]
    return [*outer, ONE - 2 * sum(outer), *reversed(outer)]
