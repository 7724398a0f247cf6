"""Where the vocabularies of text encoders lie: beside the encoder, inside its file, or in an installed package.

They cannot be fetched from a hub here, and most encoder files come without. In this order:
    1. in a folder `tokenizer`, `tokenizer_2`, … beside the encoder's file, or in the file's own folder
    2. `<encoder>.tokenizer.json` or `<encoder>.model` beside it
    3. inside: GGUF files hold the list of words, some of ComfyUI the SentencePiece model as the tensor `spiece_model`
    4. in a folder of the words' name (`t5`, `gemma`, `qwen`) under models/tokenizers
    5. in a package that brings it (T5: diffsynth)
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.checkpoints.files import open_tensors, read_header
from modules.terms.errors import NotFound

if TYPE_CHECKING:
    from modules.conditioning.vocabulary import Vocabulary

FILES = ("tokenizer.json", "spiece.model", "tokenizer.model", "vocab.json")
EMBEDDED = "spiece_model"


@dataclass(frozen=True)
class Words:
    """A vocabulary that encoders share. name: of its folder under models/tokenizers. beside: folders beside an encoder
    that hold it. classes: how a tokenizer_config.json beside it calls it, () if any will do. package: (package, path)
    of an installed file. sentence: where a person gets it."""

    name: str
    beside: tuple[str, ...]
    classes: tuple[str, ...]
    sentence: str
    package: tuple[str, str] | None = None


T5_WORDS = Words(
    "t5",
    ("tokenizer_3", "tokenizer_2", "tokenizer"),
    ("T5",),
    "T5's vocabulary is missing. Install the requirements again (diffsynth brings it), or put spiece.model or "
    "tokenizer.json of any T5 v1.1 into models/tokenizers/t5; GGUF versions of the encoder have it inside.",
    ("diffsynth", "tokenizer_configs/flux/tokenizer_2/tokenizer.json"),
)
GEMMA_WORDS = Words(
    "gemma",
    ("tokenizer",),
    ("Gemma",),
    "Gemma's vocabulary is missing. Put tokenizer.json or tokenizer.model of Gemma 2 into models/tokenizers/gemma, or "
    "choose an encoder file that has it inside (ComfyUI's gemma_2_2b, or a GGUF version).",
)
QWEN_WORDS = Words(
    "qwen",
    ("tokenizer",),
    ("Qwen",),
    "Qwen's vocabulary is missing. Put tokenizer.json, or vocab.json and merges.txt, of Qwen 2.5 or 3 into "
    "models/tokenizers/qwen, or choose a GGUF version of the encoder, which has it inside.",
)


def vocabulary_near(encoder: Path, words: Words) -> Vocabulary:
    """The vocabulary for the encoder in `encoder` (a file, or a folder of diffusers). Raises: NotFound, UnknownFile."""
    from modules.conditioning.vocabulary import vocabulary_in

    for path in _beside(encoder, words):
        return vocabulary_in(path)
    inside = _inside(encoder)
    if inside is not None:
        return inside
    for path in _elsewhere(encoder, words):
        return vocabulary_in(path)
    raise NotFound(words.sentence)


def _beside(encoder: Path, words: Words) -> Iterator[Path]:
    home = encoder if encoder.is_dir() else encoder.parent
    if not encoder.is_dir():
        for ending in (".tokenizer.json", ".model"):
            path = encoder.with_name(encoder.stem + ending)
            if path.is_file():
                yield path
    # diffusers keeps encoder and tokenizer in folders side by side: text_encoder_2, tokenizer_2.
    twin = home.parent / home.name.replace("text_encoder", "tokenizer")
    for folder in (*(home / name for name in words.beside), *((twin,) if twin != home else ()), home):
        yield from _files(folder, words)


def _files(folder: Path, words: Words) -> Iterator[Path]:
    if folder.is_dir() and _is_of(folder, words):
        yield from (folder / name for name in FILES if (folder / name).is_file())


def _is_of(folder: Path, words: Words) -> bool:
    """Whether tokenizer_config.json, where there is one, speaks of these words."""
    config = folder / "tokenizer_config.json"
    if not words.classes or not config.is_file():
        return True
    try:
        said = json.loads(config.read_text(encoding="utf-8")).get("tokenizer_class", "")
    except (ValueError, AttributeError):
        return True
    return any(name in str(said) for name in words.classes) or not said


def _elsewhere(encoder: Path, words: Words) -> Iterator[Path]:
    for folder in encoder.parents:
        if folder.name == "models" or (folder / "tokenizers").is_dir():
            yield from _files(folder / "tokenizers" / words.name, words)
    if words.package is not None:
        package, inner = words.package
        spec = importlib.util.find_spec(package)
        for home in (spec.submodule_search_locations or ()) if spec else ():
            path = Path(home) / inner
            if path.is_file():
                yield path


def _inside(encoder: Path) -> Vocabulary | None:
    from modules.conditioning.vocabulary import from_sentencepiece

    if encoder.is_dir():
        return None
    if encoder.suffix.lower() == ".gguf":
        return _in_gguf(encoder)
    if encoder.suffix.lower() in (".safetensors", ".sft"):
        key = next((key for key in read_header(encoder) if key.endswith(EMBEDDED)), None)
        if key is not None:
            return from_sentencepiece(bytes(open_tensors(encoder)[key].numpy().tobytes()), encoder.name)
    return None


def _in_gguf(path: Path) -> Vocabulary | None:
    from gguf import GGUFReader

    from modules.conditioning.vocabulary import from_merges, from_scores

    fields = GGUFReader(path).fields

    def said(name: str) -> Any:
        field = fields.get(f"tokenizer.ggml.{name}")
        return None if field is None else field.contents()

    pieces = said("tokens")
    if not pieces:
        return None
    if said("merges"):
        return from_merges({piece: number for number, piece in enumerate(pieces)}, said("merges"))
    scores = said("scores")
    return from_scores(pieces, scores, int(said("unknown_token_id") or 0)) if scores else None
