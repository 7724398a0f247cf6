"""A picture made wider on some of its sides: what stands there to begin with, and where old and new meet.

The ground of outpainting: what is to be drawn begins from colours and texture that go on from the picture's edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Floats = NDArray[np.float32]
Box = tuple[int, int, int, int]

# Texture is what differs from the blur of this radius, in pixels.
TEXTURE_RADIUS = 8


@dataclass(frozen=True)
class Margins:
    """Pixels that are added on each side."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def around(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of a picture of `size` with them."""
        return size[0] + self.left + self.right, size[1] + self.top + self.bottom

    def box(self, size: tuple[int, int]) -> Box:
        """Where the picture of `size` lies in the wider one."""
        return self.left, self.top, self.left + size[0], self.top + size[1]

    def completed(self, size: tuple[int, int], grid: int) -> Margins:
        """These, and on the right and at the bottom what is missing to a multiple of `grid`."""
        width, height = self.around(size)
        return Margins(self.left, self.top, self.right + -width % grid, self.bottom + -height % grid)


def widened(image: Image.Image, margins: Margins, seed: int = 0) -> Image.Image:
    """`image`, RGB, with margins that go on from its edges; its own pixels stay as they are.

    Near the edge they are its mirror image. Farther out that would show, so it fades into a blur of itself with a
    texture of its own, whose spectrum is that of the picture. seed: of that texture.
    """
    inner = np.asarray(image.convert("RGB"))
    pads = ((margins.top, margins.bottom), (margins.left, margins.right), (0, 0))
    mirrored = np.pad(inner, pads, mode="symmetric")
    away = distance_outside(image.size, margins)
    reach = max(1, margins.left, margins.top, margins.right, margins.bottom)
    far = smooth_step(away / np.float32(reach))[..., None]
    blurred = np.asarray(Image.fromarray(mirrored).filter(ImageFilter.GaussianBlur(reach / 4)), np.float32)
    texture = texture_like(image, (mirrored.shape[1], mirrored.shape[0]), seed)
    sheet = (mirrored * (1 - far) + (blurred + texture) * far).clip(0, 255).round().astype(np.uint8)
    left, top, right, bottom = margins.box(image.size)
    sheet[top:bottom, left:right] = inner
    return Image.fromarray(sheet)


def texture_like(image: Image.Image, size: tuple[int, int], seed: int) -> Floats:
    """Noise with the spectrum, the contrast and the colours of the fine structure of `image`: (height, width, 3).

    Source: Galerne, Gousseau, Morel (2011), "Random Phase Textures: Theory and Synthesis".
    """
    inner = np.asarray(image.convert("RGB"), np.float32)
    fine = inner - np.asarray(image.convert("RGB").filter(ImageFilter.GaussianBlur(TEXTURE_RADIUS)), np.float32)
    width, height = size
    sheet = np.zeros((height, width, 3), np.float32)
    sheet[: image.height, : image.width] = fine - fine.mean(axis=(0, 1))
    phases = np.fft.fft2(np.random.default_rng(seed).standard_normal((height, width)))
    phases /= np.abs(phases) + 1e-12
    # The same phases for all channels, so that the colours keep their relation.
    noise = np.fft.ifft2(np.fft.fft2(sheet, axes=(0, 1)) * phases[..., None], axes=(0, 1)).real
    spread = np.sqrt(width * height / (image.width * image.height))
    result: Floats = (noise * spread).astype(np.float32)
    return result


def seam(size: tuple[int, int], margins: Margins, blend: int) -> Image.Image:
    """The mask (L) of what is new around a picture of `size`, as large as both: white in the margins.

    It falls to black over `blend` pixels inside the picture, along the sides that have a margin; 0: at its edge.
    """
    width, height = size
    inside = np.full((height, width), np.inf, np.float32)
    columns, rows = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32)[:, None] + 0.5
    for pixels, depth in (
        (margins.left, columns),
        (margins.right, width - columns),
        (margins.top, rows),
        (margins.bottom, height - rows),
    ):
        if pixels:
            inside = np.minimum(inside, depth)
    grey = 1 - smooth_step(inside / np.float32(blend)) if blend else np.zeros_like(inside)
    sheet = np.full(margins.around(size)[::-1], 255, np.uint8)
    left, top, right, bottom = margins.box(size)
    sheet[top:bottom, left:right] = (grey * 255).round().astype(np.uint8)
    return Image.fromarray(sheet)


def distance_outside(size: tuple[int, int], margins: Margins) -> Floats:
    """How far each pixel of the wider picture is from the one of `size` within, 0 inside it: (height, width)."""
    left, top, right, bottom = margins.box(size)
    width, height = margins.around(size)
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    across = np.maximum(np.maximum(left - columns, columns - (right - 1)), 0)
    down = np.maximum(np.maximum(top - rows, rows - (bottom - 1)), 0)
    result: Floats = np.hypot(across, down).astype(np.float32)
    return result


def smooth_step(share: Floats) -> Floats:
    """From 0 to 1 as `share` does, level at both ends."""
    share = share.clip(0, 1)
    result: Floats = share * share * (3 - 2 * share)
    return result
