from __future__ import annotations

import base64
import json
import os
import zlib

import numpy
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file

from modules.conditioning.embedding_files import read_embedding
from modules.conditioning.embeddings import Embedding, EmbeddingLibrary
from modules.conditioning.tokenizer import clip_tokenizer
from modules.terms.errors import UnknownFile

VECTORS = torch.arange(12.0).reshape(3, 4) / 10


def a1111(name: str = "inner name") -> dict:
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": VECTORS},
        "name": name,
        "step": 500,
        "sd_checkpoint": "abc",
        "sd_checkpoint_name": "model",
    }


def as_json(data: dict) -> bytes:
    return json.dumps(data, default=lambda tensor: {"TORCHTENSOR": tensor.tolist()}).encode()


def test_a1111_files(tmp_path):
    torch.save(a1111(), tmp_path / "thing.pt")
    found = read_embedding(tmp_path / "thing.pt")
    assert (found.name, found.vectors, found.width, found.step) == ("thing", 3, 4, 500)
    assert (found.checkpoint_hash, found.checkpoint_name) == ("abc", "model")
    assert torch.equal(found.tensor("clip_l"), VECTORS)
    assert len(found.shorthash) == 12


def test_the_first_files_wrap_their_vectors(tmp_path):
    data = {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": torch.nn.ParameterDict({"*": VECTORS})}
    torch.save(data, tmp_path / "thing.pt")
    found = read_embedding(tmp_path / "thing.pt")
    assert torch.equal(found.tensor("clip_l"), VECTORS)
    assert not found.tensor("clip_l").requires_grad


@pytest.mark.parametrize("vectors", [VECTORS, VECTORS[0]])
def test_diffusers_files(tmp_path, vectors):
    torch.save({"<thing>": vectors.half()}, tmp_path / "learned.bin")
    found = read_embedding(tmp_path / "learned.bin")
    assert (found.name, found.vectors) == ("learned", 3 if vectors.ndim == 2 else 1)
    assert found.tensor("clip_l").dtype == torch.float32


def test_safetensors_of_one_and_two_encoders(tmp_path):
    save_file({"emb_params": VECTORS}, tmp_path / "one.safetensors")
    save_file({"clip_l": VECTORS, "clip_g": VECTORS.repeat(1, 2)}, tmp_path / "two.safetensors")
    one, two = (read_embedding(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    assert (one.width, two.width) == (4, 12)
    assert two.tensor("clip_g").shape == (3, 8)
    assert one.fits({"clip_l": 4})
    assert not one.fits({"clip_l": 4, "clip_g": 8})
    assert two.fits({"clip_l": 4, "clip_g": 8})
    assert not two.fits({"clip_l": 4})


def test_other_spellings_of_two_encoders(tmp_path):
    pair = (VECTORS, VECTORS.repeat(1, 2))
    save_file(dict(zip(("text_encoders_0", "text_encoders_1"), pair, strict=True)), tmp_path / "diffusers.safetensors")
    for_sd3 = {"clip_l": pair[0], "clip_g": pair[1], "t5xxl": torch.ones(3, 16)}
    save_file(for_sd3, tmp_path / "three.safetensors")
    for name in ("diffusers", "three"):
        found = read_embedding(tmp_path / f"{name}.safetensors")
        assert found.fits({"clip_l": 4, "clip_g": 8})
        assert torch.equal(found.tensor("clip_g"), pair[1])


def test_a_picture_with_an_embedding_in_its_text(tmp_path):
    text = PngInfo()
    text.add_text("sd-ti-embedding", base64.b64encode(as_json(a1111())).decode())
    Image.new("RGB", (8, 8)).save(tmp_path / "renamed.png", pnginfo=text)
    found = read_embedding(tmp_path / "renamed.png")
    assert found.name == "inner name"
    assert torch.allclose(found.tensor("clip_l"), VECTORS)


def test_a_picture_with_an_embedding_in_its_borders(tmp_path):
    data = numpy.frombuffer(zlib.compress(as_json(a1111())), numpy.uint8)
    height = 16
    data = numpy.resize(data, -(-data.size // (height * 3)) * height * 3)
    state, noise = 0, []
    for _ in range(data.size):
        state = (1664525 * state + 1013904223) % 2**32
        noise.append(state % 255 & 15)
    low, high = (
        (half ^ numpy.array(noise, numpy.uint8) | 0x30).reshape(height, -1, 3) for half in (data & 15, data >> 4)
    )
    black = numpy.zeros((height, 1, 3), numpy.uint8)
    picture = numpy.full((height, 20, 3), 200, numpy.uint8)
    Image.fromarray(numpy.concatenate([low, black, picture, black, high], axis=1)).save(tmp_path / "card.png")
    found = read_embedding(tmp_path / "card.png")
    assert found.name == "inner name"
    assert torch.allclose(found.tensor("clip_l"), VECTORS)


def test_other_pictures_hold_none(tmp_path):
    for name, colour in (("a.png", "black"), ("b.png", "white"), ("c.webp", "red")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
        assert read_embedding(tmp_path / name) is None


class Boom:
    def __reduce__(self):
        return os.remove, ("nothing",)


@pytest.mark.parametrize(
    "data",
    [
        Boom(),
        {},
        {"a": VECTORS, "b": VECTORS},
        {"a": "text"},
        {"a": torch.zeros(2, 2, 2)},
        {"a": VECTORS / 0},
        {"string_to_param": 1},
        [1],
    ],
)
def test_what_is_no_embedding_is_refused(tmp_path, data):
    torch.save(data, tmp_path / "bad.pt")
    with pytest.raises(UnknownFile, match=r"bad\.pt"):
        read_embedding(tmp_path / "bad.pt")


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".safetensors", ".png"])
def test_damaged_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(b"\x00not a file of any kind")
    with pytest.raises(UnknownFile, match="bad"):
        read_embedding(path)


def test_identity_and_checksum_follow_the_vectors():
    one, same, other = (Embedding("a", {"": vectors}) for vectors in (VECTORS, VECTORS.clone(), VECTORS + 1))
    assert one.identity == same.identity != other.identity
    assert one.checksum == same.checksum != other.checksum
    assert len(one.checksum) == 4


def test_a_library_follows_its_folders(tmp_path):
    (tmp_path / "sub").mkdir()
    torch.save(a1111(), tmp_path / "sub" / "Zebra.pt")
    save_file({"emb_params": torch.zeros(1, 8)}, tmp_path / "ape.safetensors")
    (tmp_path / "Put embeddings here.pt").touch()
    Image.new("RGB", (8, 8)).save(tmp_path / "ape.preview.png")
    (tmp_path / "bad.pt").write_bytes(b"bad")
    library = EmbeddingLibrary([tmp_path, tmp_path / "nowhere"])
    library.refresh()
    assert [embedding.name for embedding in library.embeddings] == ["ape", "Zebra"]
    assert [path.name for path in library.failed] == ["bad.pt"]
    fitting = library.fitting({"clip_l": 4})
    assert [e.name for e in fitting.loaded] == ["Zebra"]
    assert [e.name for e in fitting.skipped] == ["ape"]

    library.refresh()
    assert library.fitting({"clip_l": 4}) is fitting, "nothing changed, nothing is read again"
    (tmp_path / "ape.safetensors").unlink()
    torch.save({"x": torch.zeros(2, 4)}, tmp_path / "new.pt")
    (tmp_path / "bad.pt").unlink()
    library.refresh()
    assert [e.name for e in library.fitting({"clip_l": 4}).loaded] == ["new", "Zebra"]
    assert not library.failed


def test_more_can_join_a_set():
    encode = clip_tokenizer().encode
    library = EmbeddingLibrary([])
    old, new = Embedding("thing", {"": VECTORS}), Embedding("thing", {"": VECTORS + 1})
    joined = library.fitting({"clip_l": 4}).with_([old, new, Embedding("wide", {"": torch.zeros(1, 9)})], {"clip_l": 4})
    found, length = joined.names(encode).find(encode("a thing"), 1)
    assert found is new
    assert length == 1
    assert [e.name for e in joined.skipped] == ["wide"]
    assert joined.with_([], {"clip_l": 4}) is joined
