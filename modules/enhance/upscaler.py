"""What enlarges a picture, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from modules.terms.registry import Registry


@dataclass(frozen=True)
class Upscaler:
    """`enlarge(image, scale)` returns a picture at least about `scale` times as large; who wants an exact size resizes
    afterwards. `scale` is the factor it was made for."""

    name: str
    enlarge: Callable[[Image.Image, float], Image.Image]
    scale: float = 4.0
    aliases: tuple[str, ...] = ()


def resampled(method: Image.Resampling) -> Callable[[Image.Image, float], Image.Image]:
    """An `enlarge` that only resamples. Sizes are cut to a multiple of 8, as A1111 cuts them."""

    def enlarge(image: Image.Image, scale: float) -> Image.Image:
        width, height = int(image.width * scale) // 8 * 8, int(image.height * scale) // 8 * 8
        return image.resize((width, height), method)

    return enlarge


def simple_upscalers() -> Registry[Upscaler]:
    """A fresh list with those that need no file: None, Lanczos, Nearest."""
    upscalers: Registry[Upscaler] = Registry("upscaler")
    upscalers.add(Upscaler("None", lambda image, scale: image, 1.0))
    upscalers.add(Upscaler("Lanczos", resampled(Image.Resampling.LANCZOS)))
    upscalers.add(Upscaler("Nearest", resampled(Image.Resampling.NEAREST)))
    return upscalers
