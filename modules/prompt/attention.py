"""`(word:1.3)`, `((word))`, `[word]` and BREAK: how much of the text encoder's answer each piece of text gets."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

UP = 1.1
DOWN = 1 / 1.1

# A bracket inside this many others of its kind weighs nothing more. It keeps the work linear in the length of the
# prompt; 1.1 to this power is 4e10, far beyond what draws anything.
MAX_DEPTH = 256

_SPECIAL = re.compile(r"[\\()\[\]:]")
_WEIGHT = re.compile(r":\s*([+-]?[.\d]+)\s*\)")
_BREAK = re.compile(r"\bBREAK\b")


class Segment(NamedTuple):
    """A piece of text and its weight. A BREAK is the segment `("BREAK", -1)`: any factor but 1 that brackets around it
    bring makes it the plain word, as in A1111."""

    text: str
    weight: float = 1.0

    @property
    def is_break(self) -> bool:
        return self.text == "BREAK" and self.weight == -1


class _Weighted:
    """What has been read so far, and which brackets wait for their end."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.weights: list[float] = []
        self.waiting: dict[str, list[int]] = {"(": [], "[": []}

    def say(self, text: str, weight: float = 1.0) -> None:
        self.texts.append(text)
        self.weights.append(weight)

    def open(self, bracket: str) -> None:
        self.waiting[bracket].append(len(self.texts))

    def close(self, bracket: str, factor: float) -> bool:
        """Multiply everything since the innermost waiting `bracket`; False if none waits."""
        waiting = self.waiting[bracket]
        if not waiting:
            return False
        start = waiting.pop()
        if len(waiting) < MAX_DEPTH:
            for index in range(start, len(self.weights)):
                self.weights[index] *= factor
        return True

    def say_run(self, text: str) -> None:
        """Text without special characters, in which BREAK counts."""
        pieces = _BREAK.split(text)
        for index, piece in enumerate(pieces):
            if index > 0:
                self.say("BREAK", -1.0)
                piece = piece.lstrip()
            self.say(piece.rstrip() if index < len(pieces) - 1 else piece)


def parse_attention(text: str) -> tuple[Segment, ...]:
    """The segments of `text`, at least one; neighbours of equal weight are one.

    `(…)` is 1.1 times, `[…]` 1/1.1 times, `(…:w)` w times; they nest by multiplication, and a bracket left open holds
    to the end. A bracket that closes nothing, a colon that starts no weight and a weight that is no number are text.
    A backslash before a bracket or backslash makes it text, any other backslash vanishes.
    """
    out = _Weighted()
    position = 0
    while found := _SPECIAL.search(text, position):
        if found.start() > position:
            out.say_run(text[position : found.start()])
        position = _read_special(text, found.start(), out)
    if position < len(text):
        out.say_run(text[position:])
    for bracket, factor in (("(", UP), ("[", DOWN)):
        while out.close(bracket, factor):
            pass
    return _merged(out)


def _read_special(text: str, at: int, out: _Weighted) -> int:
    """Read what begins with the special character at `at`. Returns: the position after it."""
    mark = text[at]
    if mark == "\\":
        escaped = text[at + 1 : at + 2]
        if escaped and escaped in "\\()[]":
            out.say(escaped)
            return at + 2
        out.say("")
    elif mark in "([":
        out.open(mark)
    elif mark == ":":
        if (found := _WEIGHT.match(text, at)) and out.waiting["("]:
            weight = _finite(found.group(1))
            if weight is not None:
                out.close("(", weight)
                return found.end()
        out.say(mark)
    elif not out.close("(" if mark == ")" else "[", UP if mark == ")" else DOWN):
        out.say(mark)
    return at + 1


def _finite(number: str) -> float | None:
    try:
        value = float(number)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _merged(out: _Weighted) -> tuple[Segment, ...]:
    merged: list[Segment] = []
    texts: list[str] = []
    weight = math.nan
    for text, this in zip(out.texts, out.weights, strict=True):
        if texts and this != weight:
            merged.append(Segment("".join(texts), weight))
            texts = []
        if not texts:
            weight = this
        texts.append(text)
    if texts:
        merged.append(Segment("".join(texts), weight))
    return tuple(merged) or (Segment(""),)
