"""Vocabularies of the text encoders that are no CLIP: T5, Gemma, Qwen. Each turns text into numbers, without a network.

The words lie in files of several kinds: `tokenizer.json`, SentencePiece's `.model` (`spiece.model`), a pair of
`vocab.json` and `merges.txt`, or lists inside a GGUF file. checkpoints/tokenizers.py knows where to look for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPACE = "▁"  # what SentencePiece writes for a space


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """encode: text -> tokens, without start and end. number: the token of a piece, None if there is none."""

    encode: Callable[[str], list[int]]
    number: Callable[[str], int | None]
    size: int

    def need(self, *pieces: str) -> int:
        """The token of the first of `pieces` that there is. Raises: UnknownFile if there is none."""
        for piece in pieces:
            number = self.number(piece)
            if number is not None:
                return number
        raise UnknownFile(f"The tokenizer has no {pieces[0]}: it is that of another model. Choose the right one.")


def vocabulary_in(path: Path) -> Vocabulary:
    """The vocabulary in `path`: tokenizer.json, a SentencePiece model, or a vocab.json with its merges.txt beside it.

    Raises: UnknownFile if it is none of these.
    """
    stamp = path.stat()
    return _read(path, (stamp.st_mtime_ns, stamp.st_size))


@lru_cache(maxsize=8)
def _read(path: Path, stamp: tuple[int, int]) -> Vocabulary:
    if path.suffix == ".model":
        return from_sentencepiece(path.read_bytes(), path.name)
    merges = path.with_name("merges.txt")
    if path.name == "vocab.json" and merges.is_file():
        return from_merges(_json_object(path), merges.read_text(encoding="utf-8").splitlines())
    return from_json(path)


def from_json(path: Path) -> Vocabulary:
    """The vocabulary in a `tokenizer.json` of Hugging Face's tokenizers. Raises: UnknownFile."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - the package raises nothing more exact
        raise UnknownFile(f"{path.name} holds no tokenizer that can be read: {error}.") from None
    return _wrapped(tokenizer)


def from_sentencepiece(model: bytes, name: str = "the SentencePiece model") -> Vocabulary:
    """The vocabulary in the bytes of a SentencePiece model. Raises: UnknownFile."""
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise UnknownFile(
            f"{name} needs the package sentencepiece. Install it (pip install sentencepiece), or put a tokenizer.json "
            "beside it."
        ) from None
    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise UnknownFile(f"{name} is no SentencePiece model: {error}.") from None
    size = int(processor.GetPieceSize())

    def number(piece: str) -> int | None:
        found = int(processor.PieceToId(piece))
        return found if processor.IdToPiece(found) == piece else None

    def encode(text: str) -> list[int]:
        return [int(token) for token in processor.EncodeAsIds(text)]

    return Vocabulary(encode, number, size)


def from_merges(vocabulary: Mapping[str, int], merges: Sequence[str], split: str | None = None) -> Vocabulary:
    """A byte-level BPE as GPT-2's and Qwen's: piece -> token, and the pairs that become one, the most frequent first.

    split: the pattern by which text is cut into words, default: that of Qwen 2.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    pairs: list[tuple[str, str]] = []
    for line in merges:
        first, _, second = line.partition(" ")
        if second and not line.startswith("#version"):
            pairs.append((first, second))
    tokenizer = Tokenizer(BPE(vocab=dict(vocabulary), merges=pairs))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split or QWEN_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    special = [piece for piece in vocabulary if piece.startswith("<|") and piece.endswith("|>")]
    tokenizer.add_special_tokens([AddedToken(piece, special=True) for piece in special])
    return _wrapped(tokenizer)


# How Qwen 2 and its successors cut text into words. Source: Qwen2Tokenizer in transformers.
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def from_scores(pieces: Sequence[str], scores: Sequence[float], unknown: int) -> Vocabulary:
    """A SentencePiece unigram vocabulary given as lists: each piece (spaces as "▁") with the log of its frequency."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import Unigram

    words = [(piece.replace(" ", SPACE), float(score)) for piece, score in zip(pieces, scores, strict=True)]
    tokenizer = Tokenizer(Unigram(words, unk_id=unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    return _wrapped(tokenizer)


def _wrapped(tokenizer: Tokenizer) -> Vocabulary:
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    return Vocabulary(encode, tokenizer.token_to_id, tokenizer.get_vocab_size())


def _json_object(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UnknownFile(f"{path.name} is no JSON: no vocabulary can be read from it.") from None
    return found if isinstance(found, dict) else {}
