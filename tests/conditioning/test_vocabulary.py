"""The vocabularies of T5 and its kin, whichever file they come from."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from modules.checkpoints import tokenizers
from modules.checkpoints.tokenizers import QWEN_WORDS, T5_WORDS, vocabulary_near
from modules.conditioning.vocabulary import from_merges, from_scores, vocabulary_in
from modules.terms.errors import NotFound, UnknownFile

TEXTS = [
    "A red circle, 3 of them.",
    "  blanks   between\nlines ",
    "Crème brûlée & “quotes” – ½ ﬁne",
    "写真 🦊 <pad> (brackets:1.2)",
    "",
]


@pytest.fixture(scope="module")
def packaged() -> Path:
    spec = importlib.util.find_spec("diffsynth")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package diffsynth, which brings T5's vocabulary, is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / "tokenizer_configs" / "flux" / "tokenizer_2"


def test_every_form_of_t5s_words_gives_the_same_tokens(packaged: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    model = sentencepiece.SentencePieceProcessor(model_file=str(packaged / "spiece.model"))
    pieces = [model.IdToPiece(token) for token in range(model.GetPieceSize())]
    scores = [model.GetScore(token) for token in range(model.GetPieceSize())]
    ways = [
        vocabulary_in(packaged / "tokenizer.json"),
        vocabulary_in(packaged / "spiece.model"),
        from_scores(pieces, scores, model.unk_id()),
    ]
    plain = [text for text in TEXTS if "<pad>" not in text]  # only the first form knows special words in a text
    for text in plain:
        first, *others = (way.encode(text) for way in ways)
        assert all(other == first for other in others), text
    assert [way.need("</s>") for way in ways] == [1, 1, 1]
    assert ways[0].encode("A red circle") == [71, 1131, 8196]


def test_words_beside_the_encoder_come_first(packaged: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "text_encoder" / "t5xxl.safetensors"
    encoder.parent.mkdir()
    save_file({"shared.weight": torch.zeros(2, 2)}, encoder)
    assert vocabulary_near(encoder, T5_WORDS).size > 32000  # the package's
    folder = encoder.parent / "tokenizer"
    folder.mkdir()
    said = json.loads((packaged / "tokenizer.json").read_text(encoding="utf-8"))
    said["model"]["vocab"] = said["model"]["vocab"][:200]
    (folder / "tokenizer.json").write_text(json.dumps(said))
    assert vocabulary_near(encoder, T5_WORDS).size < 32000
    # A folder of another model's words is passed by.
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Qwen2Tokenizer"}))
    assert vocabulary_near(encoder, T5_WORDS).size > 32000


def test_words_inside_the_encoders_file_are_found(packaged: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    data = np.frombuffer((packaged / "spiece.model").read_bytes(), dtype=np.uint8)
    path = tmp_path / "encoder.safetensors"
    save_file({"shared.weight": torch.zeros(2, 2), "spiece_model": torch.tensor(data)}, path)
    assert vocabulary_near(path, QWEN_WORDS).encode("A red circle") == [71, 1131, 8196]


def test_words_in_the_folder_of_vocabularies_are_found(packaged: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "models" / "text_encoder" / "q.safetensors"
    home = tmp_path / "models" / "tokenizers" / "qwen"
    home.mkdir(parents=True)
    encoder.parent.mkdir()
    save_file({"shared.weight": torch.zeros(2, 2)}, encoder)
    with pytest.raises(NotFound, match="models/tokenizers/qwen"):
        vocabulary_near(encoder, QWEN_WORDS)
    shutil.copy(packaged / "tokenizer.json", home)
    assert vocabulary_near(encoder, QWEN_WORDS).size > 32000


def test_pairs_of_bytes_are_joined_in_their_order() -> None:
    letters = {letter: number for number, letter in enumerate("abĠ")}
    words = from_merges({**letters, "ab": 3, "Ġab": 4, "<|end|>": 5}, ["#version: 0.2", "a b", "Ġ ab"])
    assert words.encode("abba ab<|end|>") == [3, 1, 0, 4, 5]
    assert words.need("<|end|>") == 5
    with pytest.raises(UnknownFile, match="no <eos>"):
        words.need("<eos>")


def test_a_broken_vocabulary_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UnknownFile, match=r"tokenizer\.json holds no tokenizer"):
        vocabulary_in(tmp_path / "tokenizer.json")
    assert tokenizers.T5_WORDS.package is not None
