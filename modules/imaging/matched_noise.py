"""Noise with the spectrum and the colours of a picture, as A1111's "Outpainting mk2" draws it into new areas.

White noise, coloured by 1 / ((x² + 1)(y² + 1)) over the frequencies; its power is multiplied by the magnitudes of the
picture's spectrum and takes its phases; then its histogram becomes that of what is there. A recording of the script
(parity group scripts) decides over every detail.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]

# The script draws the same noise for every picture and every seed.
SEED = 0


def with_matched_noise(
    image: Image.Image, mask: Image.Image, *, falloff: float = 1.0, colour_variation: float = 0.05
) -> Image.Image:
    """`image`, RGB, with noise where `mask` is white; both of one size.

    falloff: the power of the magnitudes; more smooths. colour_variation: 0 begins from grey noise, 1 from coloured.
    """
    picture = np.asarray(image.convert("RGB")) / 255
    masked = np.asarray(mask.convert("L"))[..., None] / 255
    if not masked.any() or masked.all():
        return image.convert("RGB")
    shown = picture * (1 - masked)
    shown = shown / max(shown.max(), 1e-12) + picture.mean() * masked
    spectrum = to_frequencies(shown)
    magnitudes = np.abs(spectrum)
    phases = spectrum / np.where(magnitudes == 0, 1, magnitudes)
    white = np.random.default_rng(SEED).random(picture.shape)
    white = white * colour_variation + white.mean(axis=2, keepdims=True) * (1 - colour_variation)
    coloured = from_frequencies(to_frequencies(white) * window(picture.shape[0], picture.shape[1])[..., None])
    noise = from_frequencies(np.abs(to_frequencies(coloured)) ** 2 * magnitudes**falloff * phases)
    noise -= noise.min()
    noise /= max(noise.max(), 1e-12)
    new, old = masked[..., 0] > 1e-6, masked[..., 0] < 1e-3
    for channel in range(3):
        noise[new, channel] = matched(noise[new, channel], picture[old, channel])
    mixed = picture * (1 - masked) + noise * masked
    return Image.fromarray((mixed * 255).clip(0, 255).astype(np.uint8))


def to_frequencies(pixels: Floats) -> NDArray[np.complex128]:
    """(H, W, C) -> the same shape, lowest frequencies in the middle."""
    shifted = np.fft.fftshift(pixels, axes=(0, 1))
    result: NDArray[np.complex128] = np.fft.ifftshift(np.fft.fft2(shifted, axes=(0, 1), norm="ortho"), axes=(0, 1))
    return result


def from_frequencies(spectrum: NDArray[np.complex128]) -> Floats:
    """The inverse of `to_frequencies`, without the imaginary part."""
    shifted = np.fft.fftshift(spectrum, axes=(0, 1))
    result: Floats = np.fft.ifftshift(np.fft.ifft2(shifted, axes=(0, 1), norm="ortho"), axes=(0, 1)).real
    return result


def window(height: int, width: int) -> Floats:
    """(height, width): 1 in the middle, falling by 1 / ((x² + 1)(y² + 1)); the shorter side goes from -1 to 1."""
    shorter = min(height, width)
    rows, columns = ((np.arange(side) / side * 2 - 1) * (side / shorter) for side in (height, width))
    result: Floats = 1 / ((rows[:, None] ** 2 + 1) * (columns**2 + 1))
    return result


def matched(values: Floats, wanted: Floats) -> Floats:
    """`values` (N,), each replaced by what stands at its rank in `wanted` (M,), between two ranks interpolated."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    there, there_counts = np.unique(wanted, return_counts=True)
    ranks, there_ranks = counts.cumsum() / values.size, there_counts.cumsum() / wanted.size
    result: Floats = np.interp(ranks, there_ranks, there)[places]
    return result
