"""Segments -> rows of 77 tokens, the length that CLIP's text encoders read at once.

75 tokens of prompt, one start and one end token. Pure arithmetic: the tokenizer is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from modules.prompt.attention import UP, Segment

LENGTH = 75

Tokenize = Callable[[str], Sequence[int]]


class SpecialTokens(NamedTuple):
    """Numbers with a meaning in CLIP's vocabulary. `pad` fills what follows the first end token (OpenCLIP: 0)."""

    start: int = 49406
    end: int = 49407
    pad: int = 49407
    comma: int = 267


class NamedVectors(Protocol):
    """What a textual inversion is to a prompt: a name that stands for some vectors."""

    @property
    def name(self) -> str: ...

    @property
    def vectors(self) -> int:
        """How many; each takes the place of one token."""


class VectorNames:
    """The names of textual inversions as rows of tokens, found inside longer rows."""

    def __init__(self, inversions: Iterable[NamedVectors], tokenize: Tokenize) -> None:
        """Where two have the same name the later one counts; a name without tokens is never found."""
        by_tokens = {tuple(tokenize(inversion.name)): inversion for inversion in inversions}
        self._by_first: dict[int, list[tuple[tuple[int, ...], NamedVectors]]] = {}
        for tokens in sorted(filter(None, by_tokens), key=len, reverse=True):
            self._by_first.setdefault(tokens[0], []).append((tokens, by_tokens[tokens]))

    def find(self, tokens: Sequence[int], position: int) -> tuple[NamedVectors, int] | None:
        """What is called by the tokens from `position` on, longest name first, and how many tokens the name takes."""
        for name, inversion in self._by_first.get(tokens[position], ()):
            if tuple(tokens[position : position + len(name)]) == name:
                return inversion, len(name)
        return None


class Fix(NamedTuple):
    """From place `offset` (0 to 74) of a chunk on, the vectors of `inversion` take the place of token embeddings."""

    offset: int
    inversion: NamedVectors


class Chunk(NamedTuple):
    """77 tokens and as many weights. Tokens where a fix puts vectors are 0."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True)
class Chunks:
    """At least one chunk. `count` is the number of tokens as A1111 counts: a chunk left early counts as full."""

    chunks: tuple[Chunk, ...]
    count: int

    @property
    def limit(self) -> int:
        """What `count` may grow to before one more chunk is needed: 75, 150, …"""
        return max(1, -(-self.count // LENGTH)) * LENGTH


def empty_chunk(special: SpecialTokens) -> Chunk:
    """What stands for nothing: the start token and 76 end tokens."""
    return _Row([], [], []).padded(special)


def chunk(
    segments: Sequence[Segment],
    tokenize: Tokenize,
    special: SpecialTokens = SpecialTokens(),  # noqa: B008 - immutable
    *,
    backtrack: int = 20,
    names: VectorNames | None = None,
) -> Chunks:
    """`segments` as chunks.

    Each segment is tokenized on its own. A BREAK ends the chunk. When a chunk is full and its last comma is at most
    `backtrack` tokens back, what follows that comma moves to the next chunk (0: never).
    """
    rows = _Rows(special, backtrack)
    for segment in segments:
        if segment.is_break:
            rows.flush()
            continue
        tokens = tokenize(segment.text)
        position = 0
        while position < len(tokens):
            rows.make_room(tokens[position])
            found = names.find(tokens, position) if names else None
            if found is None:
                rows.add(tokens[position], segment.weight)
                position += 1
            else:
                inversion, length = found
                rows.add_vectors(inversion, segment.weight)
                position += length
    return rows.finished()


def chunk_old(
    text: str,
    tokenize: Tokenize,
    token_factor: Callable[[int], float | None],
    special: SpecialTokens = SpecialTokens(),  # noqa: B008 - immutable
    *,
    names: VectorNames | None = None,
) -> Chunks:
    """`text` as A1111 read it before it knew `(a:1.3)`: one chunk, what is longer is cut off.

    A token for which `token_factor` has a number is a bracket: it vanishes, and all that follows weighs that much
    more (`bracket_factor`).
    """
    row = _Row([], [], [])
    tokens = tokenize(text)
    weight = 1.0
    position = 0
    while position < len(tokens):
        found = names.find(tokens, position) if names else None
        factor = token_factor(tokens[position])
        if factor is not None:
            weight *= factor
            position += 1
        elif found is None:
            row.add(tokens[position], weight)
            position += 1
        else:
            row.add_vectors(found[0], weight)
            position += found[1]
    count = len(row.tokens)
    fixes = [fix for fix in row.fixes if fix.offset < LENGTH]
    return Chunks((_Row(row.tokens[:LENGTH], row.weights[:LENGTH], fixes).padded(special),), count)


def bracket_factor(token_text: str) -> float | None:
    """By how much the brackets in a token change the weight of what follows (`chunk_old`); None if they do not."""
    factor = 1.0
    for character in token_text:
        if character in "(]":
            factor *= UP
        elif character in ")[":
            factor /= UP
    return None if factor == 1.0 else factor


@dataclass
class _Row:
    """A chunk that is being filled."""

    tokens: list[int]
    weights: list[float]
    fixes: list[Fix]

    def add(self, token: int, weight: float) -> None:
        self.tokens.append(token)
        self.weights.append(weight)

    def add_vectors(self, inversion: NamedVectors, weight: float) -> None:
        self.fixes.append(Fix(len(self.tokens), inversion))
        self.tokens += [0] * inversion.vectors
        self.weights += [weight] * inversion.vectors

    def padded(self, special: SpecialTokens) -> Chunk:
        missing = LENGTH - len(self.tokens)
        tokens = [special.start, *self.tokens, *[special.end] * (missing + 1)]
        if special.pad != special.end:
            # The first end token may stand inside the prompt, where somebody typed it.
            after_end = tokens.index(special.end) + 1
            tokens[after_end:] = [special.pad] * (len(tokens) - after_end)
        return Chunk(tuple(tokens), (1.0, *self.weights, *[1.0] * (missing + 1)), tuple(self.fixes))


class _Rows:
    """The chunks so far, and the one that is being filled."""

    def __init__(self, special: SpecialTokens, backtrack: int) -> None:
        self.special = special
        self.backtrack = backtrack
        self.done: list[Chunk] = []
        self.row = _Row([], [], [])
        self.last_comma = -1

    def make_room(self, token: int) -> None:
        """Begin a new chunk if `token` does not fit, at the last comma if that is near."""
        filled = len(self.row.tokens)
        if token == self.special.comma:
            self.last_comma = filled
        elif filled == LENGTH and self.last_comma >= 0 and filled - self.last_comma <= self.backtrack:
            cut = self.last_comma + 1
            # The fixes of what moves stay behind, as in A1111: old pictures with an inversion there depend on it.
            moved = _Row(self.row.tokens[cut:], self.row.weights[cut:], [])
            del self.row.tokens[cut:], self.row.weights[cut:]
            self.flush()
            self.row = moved
        if len(self.row.tokens) == LENGTH:
            self.flush()

    def add(self, token: int, weight: float) -> None:
        self.row.add(token, weight)

    def add_vectors(self, inversion: NamedVectors, weight: float) -> None:
        if len(self.row.tokens) + inversion.vectors > LENGTH:
            self.flush()
        self.row.add_vectors(inversion, weight)
        # More vectors than a chunk holds: what does not fit is cut off.
        del self.row.tokens[LENGTH:], self.row.weights[LENGTH:]

    def flush(self) -> None:
        self.done.append(self.row.padded(self.special))
        self.row = _Row([], [], [])
        self.last_comma = -1

    def finished(self) -> Chunks:
        unfinished = len(self.row.tokens)
        count = LENGTH * len(self.done) + unfinished
        if unfinished or not self.done:
            self.flush()
        return Chunks(tuple(self.done), count)
