"""CLIP's tokenizer: text -> numbers, 49,408 of them. No torch, no transformers: the page counts tokens with it.

The vocabulary is the file inside the open_clip package, which is found without importing that package.
"""

from __future__ import annotations

import gzip
import heapq
import html
import importlib.util
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from modules.prompt.attention import Segment, parse_attention
from modules.prompt.chunks import SpecialTokens, VectorNames, bracket_factor, chunk, chunk_old
from modules.prompt.comments import strip_comments
from modules.prompt.composition import split_and
from modules.prompt.networks import extract_networks
from modules.prompt.timeline import timeline
from modules.terms.errors import NotFound

VOCABULARY_FILE = "bpe_simple_vocab_16e6.txt.gz"
MERGES = 49152 - 256 - 2
WORD_END = "</w>"

# Words and pieces of words that are tokenized on their own.
_WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# Text that ftfy leaves as it is, but for line ends; spares its import.
_PLAIN = re.compile(r"[\t\n\r -%'-~]*")


class ClipTokenizer:
    """Byte-level byte pair encoding in lower case. `vocabulary`: piece of text -> number.

    `open_clip`: as the encoders of SD 2 and SDXL's second one want it; they also read HTML entities and pad with 0.
    """

    def __init__(self, vocabulary: Path, *, open_clip: bool = False) -> None:
        import regex

        self.open_clip = open_clip
        self.special = SpecialTokens(pad=0) if open_clip else SpecialTokens()
        specials = ("<start_of_text>", "<end_of_text>") if open_clip else ("<|startoftext|>", "<|endoftext|>")
        lines = gzip.decompress(vocabulary.read_bytes()).decode("utf-8").split("\n")
        pairs = [tuple(line.split()) for line in lines[1 : MERGES + 1]]
        self._letters = _byte_letters()
        letters = sorted(self._letters.values())
        self._texts = [*letters, *(letter + WORD_END for letter in letters), *map("".join, pairs), *specials]
        self.vocabulary = {text: number for number, text in enumerate(self._texts)}
        self._ranks = {pair: rank for rank, pair in enumerate(pairs)}
        self._specials = specials
        self._words = regex.compile("|".join([*map(regex.escape, specials), _WORD]), regex.IGNORECASE)
        self._tokens_of_word = lru_cache(maxsize=1 << 16)(self._read_word)

    @property
    def merges(self) -> list[tuple[str, ...]]:
        """Pairs of pieces that become one, the most frequent first."""
        return list(self._ranks)

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`, without start and end."""
        words: Iterable[str] = self._words.findall(self._cleaned(text))
        return [token for word in words for token in self._tokens_of_word(word)]

    def decode(self, tokens: Iterable[int]) -> str:
        """Text that has these tokens: lower case, a space after each word."""
        bytes_of = {letter: byte for byte, letter in self._letters.items()}
        text = "".join(self._texts[token] for token in tokens).replace(WORD_END, " ")
        raw = b"".join(bytes([bytes_of[c]]) if c in bytes_of else c.encode() for c in text)
        return raw.decode("utf-8", errors="replace").strip()

    def bracket_factor(self, token: int) -> float | None:
        """How a token with brackets changes the weight of what follows, in the old way of emphasis; None if not."""
        return bracket_factor(self._texts[token])

    def _cleaned(self, text: str) -> str:
        if not _PLAIN.fullmatch(text):
            import ftfy

            text = ftfy.fix_text(text)
            if self.open_clip:
                text = html.unescape(html.unescape(text))
        return " ".join(text.split()).lower()

    def _read_word(self, word: str) -> tuple[int, ...]:
        if word in self._specials:
            return (self.vocabulary[word],)
        letters = [self._letters[byte] for byte in word.encode("utf-8", errors="replace")]
        letters[-1] += WORD_END
        return tuple(self.vocabulary[piece] for piece in _merged(letters, self._ranks))


def _merged(pieces: list[str], ranks: dict[tuple[str, ...], int]) -> list[str]:
    """`pieces` with neighbours joined, those first that come first in `ranks`, from left to right.

    n log n: a word may be as long as the prompt.
    """
    after = [*range(1, len(pieces)), -1]
    before = [*range(-1, len(pieces) - 1)]
    gone = [False] * len(pieces)
    waiting: list[tuple[int, int, str, str]] = []

    def consider(left: int, right: int) -> None:
        if left >= 0 and right >= 0:
            rank = ranks.get((pieces[left], pieces[right]))
            if rank is not None:
                heapq.heappush(waiting, (rank, left, pieces[left], pieces[right]))

    for place in range(len(pieces) - 1):
        consider(place, place + 1)
    while waiting:
        _, left, first, second = heapq.heappop(waiting)
        right = after[left]
        if gone[left] or right < 0 or (pieces[left], pieces[right]) != (first, second):
            continue
        pieces[left] = first + second
        gone[right] = True
        after[left] = after[right]
        if after[right] >= 0:
            before[after[right]] = left
        consider(before[left], left)
        consider(left, after[left])
    return [piece for place, piece in enumerate(pieces) if not gone[place]]


def _byte_letters() -> dict[int, str]:
    """Each byte as a letter that can be seen: itself where it is one, else one from 256 on."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    hidden = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in sorted(seen)} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


@lru_cache(maxsize=2)
def clip_tokenizer(*, open_clip: bool = False) -> ClipTokenizer:
    """The tokenizer, read once. Raises: NotFound if the vocabulary is not installed."""
    spec = importlib.util.find_spec("open_clip")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / VOCABULARY_FILE
        if path.is_file():
            return ClipTokenizer(path, open_clip=open_clip)
    raise NotFound(
        "CLIP's vocabulary is missing: it comes with the package open_clip_torch. Install the requirements again."
    )


class TokenCount(NamedTuple):
    """How long a prompt is: `tokens` of the `limit` that its chunks hold (75, 150, …)."""

    tokens: int
    limit: int


def count_tokens(
    text: str,
    *,
    steps: int = 20,
    positive: bool = True,
    comments: bool = True,
    emphasis: bool = True,
    old_emphasis: bool = False,
    backtrack: int = 20,
    names: VectorNames | None = None,
    tokenizer: ClipTokenizer | None = None,
) -> TokenCount:
    """The longest of what `text` says: of all its AND parts (if `positive`) at all `steps`.

    `comments`: remarks do not count. `emphasis` False: brackets count. Network tags do not count.
    """
    tokenizer = tokenizer or clip_tokenizer()
    if comments:
        text = strip_comments(text)
    text, _ = extract_networks(text)
    parts = [part.text for part in split_and(text)] if positive else [text]
    best = TokenCount(-1, 0)
    for said in {entry.text for part in parts for entry in timeline(part, steps)}:
        if old_emphasis:
            found = chunk_old(said, tokenizer.encode, tokenizer.bracket_factor, tokenizer.special, names=names)
        else:
            segments = parse_attention(said) if emphasis else (Segment(said),)
            found = chunk(segments, tokenizer.encode, tokenizer.special, backtrack=backtrack, names=names)
        best = max(best, TokenCount(found.count, found.limit))
    return best
