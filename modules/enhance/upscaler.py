"""What enlarges a picture, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from modules.terms.registry import Registry

LANCZOS = Image.Resampling.LANCZOS
NONE = "None"
MOST_PASSES = 3


@dataclass(frozen=True)
class Work:
    """What the work on a picture takes place under.

    settings: those of the job, by key. done(part, parts): called after every part of the work (a tile, a face); what
    it raises ends the work.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    done: Callable[[int, int], None] = lambda part, parts: None


PLAIN = Work()

# (picture, factor that is asked for, circumstances) -> the picture after one pass, larger by what the pass can do.
Once = Callable[[Image.Image, float, Work], Image.Image]


@dataclass(frozen=True)
class Upscaler:
    """`once` is one pass over a picture, None for the upscaler that leaves pictures alone. `scale` is the factor that a
    pass is made for; `path` the file of its network, if it has one."""

    name: str
    once: Once | None
    scale: float = 4.0
    aliases: tuple[str, ...] = ()
    path: Path | None = None

    def enlarge(self, image: Image.Image, scale: float, work: Work = PLAIN) -> Image.Image:
        """`image` with sides of `scale` times their length, cut to a multiple of 8.

        Passes are made until both sides are long enough, three at most; Lanczos does the rest. A factor of exactly 1
        asks for one pass (networks that clean and do not enlarge), smaller ones for none.
        Raises: UnknownFile for a file that is no such network, and what `work.done` raises.
        Source: spec/models_and_networks.md §8.
        """
        if self.once is None:
            return image
        wanted = int(image.width * scale) // 8 * 8, int(image.height * scale) // 8 * 8
        expected = self._passes_for(scale)
        for number in range(MOST_PASSES):
            long_enough = image.width >= wanted[0] and image.height >= wanted[1]
            if long_enough and (number > 0 or scale != 1):
                break
            before = image.size
            image = self.once(image, scale, _share_of(work, number, max(expected, number + 1)))
            if image.size == before:
                break
        # A picture of a few pixels, made smaller, must not vanish.
        wanted = max(1, wanted[0]), max(1, wanted[1])
        return image if image.size == wanted else image.resize(wanted, LANCZOS)

    def _passes_for(self, scale: float) -> int:
        if self.scale <= 1 or scale <= self.scale:
            return 1
        return min(MOST_PASSES, math.ceil(math.log(scale, self.scale) - 1e-6))


def _share_of(work: Work, number: int, count: int) -> Work:
    """`work` for pass `number` of `count`: its parts are a share of the whole."""
    return Work(work.settings, lambda part, parts: work.done(number * parts + part, count * parts))


def resampled(method: Image.Resampling) -> Once:
    """A pass that only resamples."""

    def once(image: Image.Image, scale: float, work: Work) -> Image.Image:
        return image.resize((int(image.width * scale), int(image.height * scale)), method)

    return once


def simple_upscalers() -> Registry[Upscaler]:
    """A fresh list with those that need no file: None, Lanczos, Nearest."""
    upscalers: Registry[Upscaler] = Registry("upscaler")
    upscalers.add(Upscaler(NONE, None, 1.0))
    upscalers.add(Upscaler("Lanczos", resampled(LANCZOS)))
    upscalers.add(Upscaler("Nearest", resampled(Image.Resampling.NEAREST)))
    return upscalers
