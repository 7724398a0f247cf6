"""`a AND b :0.5`: several prompts that draw one picture together."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r"\s*[-+]?(?:\d+\.?|\d*\.\d+)")


class Part(NamedTuple):
    """One of the prompts. Its pull is `weight` times (what it says - the negative prompt); it may be 0 or negative."""

    text: str
    weight: float = 1.0


def split_and(text: str) -> tuple[Part, ...]:
    """The parts of `text`, at least one. Brackets do not protect an AND, and a prompt without AND may end in a weight:
    `portrait at 10:30` has weight 30, as in A1111. Spaces before a part stay, those after it go."""
    return tuple(map(_part, _AND.split(text)))


def _part(text: str) -> Part:
    text = text.rstrip()
    said, colon, number = text.rpartition(":")
    if colon and _WEIGHT.fullmatch(number) and math.isfinite(weight := float(number)):
        return Part(said.rstrip(), weight)
    return Part(text)
