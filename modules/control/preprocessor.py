"""What a preprocessor is: it makes the map that a network looks at from a picture. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modules.terms.errors import BadRequest

Bytes = NDArray[np.uint8]

PAD = 64
MAX_PIXELS = 1 << 26


@dataclass(frozen=True)
class Knob:
    """A number that a preprocessor is told; what lies outside its bounds means its default."""

    label: str
    minimum: float
    maximum: float
    default: float
    step: float = 0.01

    def settle(self, value: float) -> float:
        return value if self.minimum <= value <= self.maximum else self.default


RESOLUTION = Knob("Resolution", 64, 2048, 512, 8)


@dataclass(frozen=True)
class Wish:
    """How a map is to be made. resolution: of its short side. seed: for those that draw lots. models: the folder with
    the networks that some need."""

    resolution: int = 512
    a: float = 0.0
    b: float = 0.0
    seed: int = 0
    models: Path | None = None


Run = Callable[[Bytes, Wish], Bytes]


@dataclass(frozen=True)
class Preprocessor:
    """One way to make a map.

    run: (h, w, 3) -> (h', w', 3); those that take a mask get and return a fourth channel, white is repainted.
    name: as clients send it. label: as a person sees it, "" for the name. tags: the control types it belongs to.
    resolution: None if the picture is looked at as it is. first: the one that is offered for its type.
    soft_in_hires: its fine maps count less in a hires pass. missing: why it cannot be run, and the way out.
    lends_look: no network is needed; the checkpoint itself looks at the picture.
    """

    name: str
    run: Run
    tags: tuple[str, ...] = ()
    label: str = ""
    resolution: Knob | None = RESOLUTION
    a: Knob | None = None
    b: Knob | None = None
    takes_mask: bool = False
    first: bool = False
    soft_in_hires: bool = False
    missing: str = ""
    lends_look: bool = False

    @property
    def title(self) -> str:
        return self.label or self.name

    @property
    def aliases(self) -> tuple[str, ...]:
        return (self.label,) if self.label else ()

    @property
    def knobs(self) -> tuple[Knob, ...]:
        return tuple(knob for knob in (self.resolution, self.a, self.b) if knob is not None)

    def wish(self, resolution: float, a: float, b: float, *, seed: int = 0, models: Path | None = None) -> Wish:
        """What was asked, with defaults for -1 and what is out of bounds."""
        first, second = (knob.settle(value) if knob else 0 for knob, value in ((self.a, a), (self.b, b)))
        return Wish(int((self.resolution or RESOLUTION).settle(resolution)), first, second, seed, models)

    def check(self) -> None:
        """Raises: BadRequest if it cannot be run here."""
        if self.missing:
            raise BadRequest(self.missing)

    def __call__(self, picture: Bytes, wish: Wish) -> Bytes:
        """The map of `picture` (h, w, 3 or 4). Raises: BadRequest if it cannot be made here."""
        self.check()
        return self.run(picture if self.takes_mask else picture[..., :3], wish)


def at_resolution(run: Run) -> Run:
    """`run` on a picture whose short side is what the wish says. Its edges are continued to a multiple of 64 for the
    time, as networks want it and as the extension does for all."""

    def at_size(picture: Bytes, wish: Wish) -> Bytes:
        scaled = short_side(picture, wish.resolution)
        height, width = scaled.shape[:2]
        padded = np.pad(scaled, ((0, -height % PAD), (0, -width % PAD), (0, 0)), mode="edge")
        return np.ascontiguousarray(run(padded, wish)[:height, :width])

    return at_size


def short_side(picture: Bytes, length: int) -> Bytes:
    """`picture` with its short side `length` pixels long."""
    import cv2

    scale = length / min(picture.shape[:2])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    check_size(picture, *size)
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=way), np.uint8)


def check_size(picture: Bytes, width: int, height: int) -> None:
    """Raises: BadRequest if `picture`, a long strip, would fill the memory at `width` x `height`."""
    if width * height > MAX_PIXELS:
        raise BadRequest(
            f"A picture of {picture.shape[1]}x{picture.shape[0]} is too long and narrow for this size: on the way it "
            f"would have {width * height / 1e6:.0f} megapixels. Cut it first."
        )


def grey_as_colour(grey: Bytes) -> Bytes:
    """(h, w) as (h, w, 3)."""
    return np.repeat(grey[..., None], 3, axis=2)
