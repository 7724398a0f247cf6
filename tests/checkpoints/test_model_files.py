from __future__ import annotations

import json
import mmap
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from modules.checkpoints.files import MAX_HEADER_BYTES, kind_of, open_tensors, read_header
from modules.terms.errors import NotFound, Refused, UnknownFile

TENSORS = {
    "a.weight": torch.arange(12, dtype=torch.float32).view(3, 4),
    "b.half": torch.linspace(0, 1, 7, dtype=torch.float16),
    "c.brain": torch.linspace(0, 1, 5, dtype=torch.bfloat16),
    "d.small": torch.linspace(-2, 2, 4).to(torch.float8_e4m3fn),
    "e.count": torch.tensor(5),
    "f.empty": torch.zeros(0, 3),
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, path, metadata={"format": "pt", "said": "yes"})
    return path


def test_every_tensor_comes_back(model: Path) -> None:
    state = open_tensors(model)
    assert set(state) == set(TENSORS)
    for key, tensor in TENSORS.items():
        assert state[key].dtype == tensor.dtype
        assert state[key].shape == tensor.shape
        assert torch.equal(state[key].float(), tensor.float())


def test_header_tells_shapes_and_metadata(model: Path) -> None:
    header = read_header(model)
    assert header.metadata == {"format": "pt", "said": "yes"}
    assert {key: header.shape(key) for key in header} == {key: tuple(value.shape) for key, value in TENSORS.items()}
    assert header.shape("nothing") is None


def test_reading_a_header_needs_no_torch(model: Path, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from modules.checkpoints.files import read_header;"
        f"assert len(read_header(Path({str(model)!r})).tensors) == {len(TENSORS)}; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_writing_to_a_tensor_leaves_the_file_alone(model: Path) -> None:
    before = model.read_bytes()
    state = open_tensors(model)
    tensor = state["a.weight"]
    tensor += 100
    assert torch.equal(tensor, TENSORS["a.weight"] + 100)
    assert model.read_bytes() == before


def test_tensors_are_views_of_one_mapping(model: Path) -> None:
    state = open_tensors(model)
    assert state["a.weight"].data_ptr() == state["a.weight"].data_ptr()
    distance = state["b.half"].data_ptr() - state["a.weight"].data_ptr()
    assert distance == state.header.tensors["b.half"].begin - state.header.tensors["a.weight"].begin


def test_released_pages_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    large = torch.arange(64 * mmap.PAGESIZE, dtype=torch.int32).float()
    save_file({"small": torch.ones(3), "large": large}, path)
    state = open_tensors(path)
    assert torch.equal(state["large"], large)
    state.release("large")
    assert torch.equal(state["large"], large)


def test_unaligned_numbers_are_read(tmp_path: Path) -> None:
    values = torch.linspace(0, 1, 9)
    header = json.dumps({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}).encode()
    header += b" " * ((1 - len(header)) % 8)  # the data begins at an odd byte
    path = tmp_path / "odd.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + values.numpy().tobytes())
    assert open_tensors(path).header.tensors["x"].begin % 4
    assert torch.equal(open_tensors(path)["x"] * 2, values * 2)


@pytest.mark.parametrize("second", [2, 3, 4, 5])
def test_a_header_length_that_begins_like_a_pickle_is_none(tmp_path: Path, second: int) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header = header.ljust(second * 256 + 0x80)
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    assert path.read_bytes()[:2] == bytes((0x80, second))
    assert torch.equal(open_tensors(path)["x"], torch.zeros(2))


def test_averaged_copies_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ema.safetensors"
    save_file({"model.x": torch.ones(1), "model_ema.x": torch.ones(1)}, path)
    assert list(open_tensors(path)) == ["model.x"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_gets_a_sentence(tmp_path: Path, share: float) -> None:
    whole = save(TENSORS)
    path = tmp_path / "cut.safetensors"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnknownFile, match=r"cut\.safetensors .*ownload it again"):
        open_tensors(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(position=st.integers(8, 300), byte=st.integers(0, 255))
def test_a_damaged_header_is_read_or_refused(tmp_path: Path, position: int, byte: int) -> None:
    damaged = bytearray(save(TENSORS))
    damaged[position] = byte
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(damaged)
    try:
        state = open_tensors(path)
        assert all(state[key].numel() >= 0 for key in state)
    except UnknownFile as error:
        assert "damaged.safetensors" in str(error)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html>please log in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "Git LFS"),
        (b"", "empty"),
        (bytes(4096), "zeros"),
        (b'{"error": "not found"}', "JSON"),
        (b"GGUF\x03\x00\x00\x00rest of it", "GGUF"),
        (b"\x7fELF and so on and on", "neither"),
        (struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{", "claims"),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "thing.safetensors"
    path.write_bytes(content)
    with pytest.raises(UnknownFile, match=said):
        read_header(path)


def test_offsets_must_agree_with_shapes(tmp_path: Path) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "lying.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(100))
    with pytest.raises(UnknownFile, match="contradicts itself at x"):
        read_header(path)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_tensors(tmp_path / "nothing.safetensors")


# --- pickles ---


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_read_and_unwrapped(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.ckpt"
    tensors = {"model.x": torch.arange(6.0).view(2, 3), "model_ema.x": torch.ones(1), "model.y": torch.ones(2).half()}
    torch.save({"state_dict": tensors, "global_step": 5}, path, _use_new_zipfile_serialization=zipped)
    state = open_tensors(path)
    assert sorted(state) == ["model.x", "model.y"]
    assert torch.equal(state["model.x"], tensors["model.x"])
    assert state.header.tensors["model.y"].dtype == "F16"
    assert read_header(path).shape("model.x") == (2, 3)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (Path.write_text, (Path("escaped.txt"), "code ran"))


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"x": torch.ones(1)}, "extra": Evil()}, "evil.ckpt")
    with pytest.raises(Refused, match=r"evil\.ckpt .*safetensors"):
        open_tensors(Path("evil.ckpt"))
    assert not Path("escaped.txt").exists()


def test_leftovers_of_training_programs_do_no_harm(tmp_path: Path) -> None:
    import numpy

    path = tmp_path / "trained.ckpt"
    torch.save({"state_dict": {"x": torch.ones(1)}, "loss": numpy.float64(0.5), "best": numpy.float32(1)}, path)
    assert list(open_tensors(path)) == ["x"]


def test_a_cut_pickle_gets_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cut.ckpt"
    torch.save({"x": torch.ones(10_000)}, path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UnknownFile, match=r"cut\.ckpt is damaged or cut off"):
        open_tensors(path)


def test_a_pickle_without_tensors_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "words.ckpt"
    torch.save({"words": ["a", "b"]}, path)
    with pytest.raises(UnknownFile, match="without named tensors"):
        open_tensors(path)


def test_the_content_decides_not_the_name(model: Path) -> None:
    renamed = model.rename(model.with_suffix(".ckpt"))
    assert kind_of(renamed) == "safetensors"
    assert len(open_tensors(renamed)) == len(TENSORS)
