"""Names, aliases and hashes of network files; damaged files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modules.networks.files import content_hash, read_metadata, read_tensors
from modules.networks.library import NetworkLibrary
from modules.networks.network import read_network
from modules.networks.reader import Reader
from modules.terms.errors import NotFound, Refused, UnknownFile

TENSORS = {"lora_unet_x.lora_up.weight": torch.ones(2, 1), "lora_unet_x.lora_down.weight": torch.ones(1, 2)}


def put(path: Path, **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(TENSORS, path, metadata or None)
    return path


def test_files_are_found_in_all_folders_by_their_name(tmp_path: Path) -> None:
    put(tmp_path / "Lora" / "deep" / "one.safetensors")
    put(tmp_path / "LyCORIS" / "Two.safetensors")
    put(tmp_path / "Lora" / "none.safetensors")
    (tmp_path / "Lora" / "notes.txt").write_text("not a network")
    library = NetworkLibrary([tmp_path / "Lora", tmp_path / "LyCORIS", tmp_path / "missing"])
    assert library.names == ("one", "Two")
    assert library.find("one").path == tmp_path / "Lora" / "deep" / "one.safetensors"


def test_a_folder_that_links_to_itself_is_walked_once(tmp_path: Path) -> None:
    put(tmp_path / "a.safetensors")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert NetworkLibrary([tmp_path]).names == ("a",)


def test_an_alias_counts_unless_several_files_have_it(tmp_path: Path) -> None:
    put(tmp_path / "file-a.safetensors", ss_output_name="mine")
    put(tmp_path / "file-b.safetensors", ss_output_name="ours")
    put(tmp_path / "file-c.safetensors", ss_output_name="ours")
    put(tmp_path / "mine2.safetensors", ss_output_name="file-a")
    library = NetworkLibrary([tmp_path])
    assert library.find("mine").name == "file-a"
    assert library.find("file-a").name == "file-a", "the name of a file comes before an alias"
    with pytest.raises(NotFound):
        library.find("ours")


def test_a_file_that_came_later_is_found_and_a_miss_names_the_nearest(tmp_path: Path) -> None:
    library = NetworkLibrary([tmp_path])
    with pytest.raises(NotFound):
        library.find("watercolor")
    put(tmp_path / "watercolor.safetensors")
    assert library.find("watercolor").name == "watercolor"
    with pytest.raises(NotFound, match="Did you mean watercolor"):
        library.find("watercolour")
    (tmp_path / "watercolor.safetensors").unlink()
    library.refresh()
    assert library.names == ()


def test_the_hash_is_that_of_the_content_after_the_header(tmp_path: Path) -> None:
    one, other = put(tmp_path / "a.safetensors"), put(tmp_path / "b.safetensors", ss_output_name="renamed")
    assert content_hash(one) == content_hash(other)
    raw = one.read_bytes()
    assert content_hash(one) == hashlib.sha256(raw[8 + int.from_bytes(raw[:8], "little") :]).hexdigest()
    library = NetworkLibrary([tmp_path])
    assert library.short_hash(library.find("a")) == content_hash(one)[:12]
    assert library.find_hash(content_hash(one)[:12]) == library.find("a")


def test_a_stated_hash_is_believed_and_none_may_be_wanted(tmp_path: Path) -> None:
    put(tmp_path / "a.safetensors", sshs_model_hash="abcdef0123456789")
    put(tmp_path / "b.safetensors")
    library = NetworkLibrary([tmp_path], hash_of=lambda path: None)
    assert library.short_hash(library.find("a")) == "abcdef012345"
    assert library.short_hash(library.find("b")) == ""


def test_listing_reads_no_header_and_rows_tell_what_the_file_says(tmp_path: Path) -> None:
    path = put(tmp_path / "a.safetensors", ss_output_name="mine")
    damaged = tmp_path / "b.safetensors"
    damaged.write_bytes(b"garbage")
    library = NetworkLibrary([tmp_path])
    assert library.names == ("a", "b")
    assert library.rows() == [
        {"name": "a", "alias": "mine", "path": str(path), "metadata": {"ss_output_name": "mine"}},
        {"name": "b", "alias": "b", "path": str(damaged), "metadata": {}},
    ]


class Code:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("ran",)


def test_metadata_is_found_wherever_it_stands(tmp_path: Path) -> None:
    said = {"ss_output_name": 'a "__metadata__" name', "ss_tag_frequency": json.dumps({"ä": {"1girl": 3}})}
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    for entries in ({"__metadata__": said, "x": tensor}, {"x": tensor, "__metadata__": said}):
        for separators in ((",", ":"), (", ", " : ")):
            header = json.dumps(entries, separators=separators).encode()
            path = tmp_path / "a.safetensors"
            path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
            assert read_metadata(path) == said
    path.write_bytes(path.read_bytes()[:90])
    assert read_metadata(path) == {}


def test_bad_files_get_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "a.safetensors"
    damaged.write_bytes(b"\x10" * 30)
    pickled = tmp_path / "b.pt"
    torch.save({"x": Code()}, pickled)
    cut = tmp_path / "c.pt"
    torch.save(TENSORS, cut)
    cut.write_bytes(cut.read_bytes()[:200])
    empty = tmp_path / "d.pt"
    torch.save({"step": 3}, empty)
    for path, error in ((damaged, UnknownFile), (pickled, Refused), (cut, UnknownFile), (empty, UnknownFile)):
        with pytest.raises(error, match=path.name):
            read_tensors(path)
    assert capsys.readouterr().out == ""
    with pytest.raises(NotFound, match="gone"):
        read_tensors(tmp_path / "e.safetensors")


def test_a_file_of_another_kind_says_so(tmp_path: Path) -> None:
    save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.ones(2, 2)}, tmp_path / "a.safetensors")
    with pytest.raises(UnknownFile, match=r"no network of a known kind.*model\.diffusion_model"):
        read_network(tmp_path / "a.safetensors")


def test_networks_in_pickles_are_read(tmp_path: Path) -> None:
    torch.save({"state_dict": TENSORS}, tmp_path / "a.pt")
    assert read_network(tmp_path / "a.pt").kinds == {"LoRA": 1}


def test_alpha_of_pefts_configuration_scales(tmp_path: Path) -> None:
    tensors = {"unet.x.lora_A.weight": torch.ones(4, 2), "unet.x.lora_B.weight": torch.ones(2, 4)}
    config = json.dumps({"unet.lora_alpha": 8, "unet.r": 4})
    save_file(tensors, tmp_path / "a.safetensors", {"lora_adapter_metadata": config})
    assert read_network(tmp_path / "a.safetensors").deltas["unet.x"].scale == 2


def test_inversions_inside_a_network_are_read(tmp_path: Path) -> None:
    bundle = {"bundle_emb.word.string_to_param.*": torch.ones(3, 6), "bundle_emb.xl.clip_l": torch.ones(6)}
    save_file({**TENSORS, **bundle}, tmp_path / "a.safetensors")
    network = read_network(tmp_path / "a.safetensors")
    shapes = {
        name: {key: tuple(value.shape) for key, value in some.items()} for name, some in network.embeddings.items()
    }
    assert shapes == {"word": {"": (3, 6)}, "xl": {"clip_l": (1, 6)}}
    assert not network.unknown


def test_a_reader_reads_again_only_what_changed(tmp_path: Path) -> None:
    read: list[Path] = []

    def once(path: Path) -> str:
        read.append(path)
        return path.read_text()

    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    reader = Reader(once)
    assert [reader(path) for path in (*paths, *paths)] == ["a", "b", "c"] * 2
    assert read == paths
    paths[0].write_text("changed")
    assert reader(paths[0]) == "changed"
    reader.hold({paths[1]}, keep=1)
    read.clear()
    assert [reader(path) for path in paths] == ["changed", "b", "c"]
    assert read == [paths[2]], "one is used, one more may stay: the one read last"
