"""Renamed files are known by their hashes; other files of the same name are told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modules.checkpoints.hashes import HashCache
from modules.checkpoints.library import Library
from modules.generation.infotext import parse
from modules.generation.network_tags import recorded_hashes, with_local_networks
from modules.generation.resources import Here, LocalResources, what_differs
from modules.networks.library import NetworkLibrary

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"


@pytest.fixture
def here(tmp_path: Path) -> tuple[LocalResources, Mapping[str, str]]:
    """Resources with one of each kind, and their hashes."""
    folders = {name: tmp_path / name for name in ("models", "vae", "Lora", "hyper", "embeddings")}
    for folder in folders.values():
        folder.mkdir()
    save_file({"w": torch.ones(2)}, folders["models"] / "model.safetensors")
    save_file({"w": torch.ones(3)}, folders["vae"] / "good.vae.safetensors")
    save_file(
        {"w": torch.ones(4)}, folders["Lora"] / "local.safetensors", {"sshs_model_hash": "a1b2c3d4e5f6" + "0" * 52}
    )
    save_file({"w": torch.ones(5)}, folders["Lora"] / "plain.safetensors")
    (folders["hyper"] / "old.pt").write_bytes(b"x")
    (folders["embeddings"] / "Style.pt").write_bytes(b"vectors")
    library = Library([folders["models"]], [folders["vae"]], hashes=HashCache())
    (info,) = library.checkpoints
    model = library.hashed(info).sha256
    (vae,) = library.vaes
    hashes = {
        "model": model or "",
        "vae": library.hashed_vae(vae).sha256 or "",
        "embedding": hashlib.sha256(b"vectors").hexdigest(),
    }
    loras, hypernetworks = NetworkLibrary([folders["Lora"]]), NetworkLibrary([folders["hyper"]], endings=(".pt",))
    embeddings = list(folders["embeddings"].iterdir())
    return LocalResources(library, loras, hypernetworks, lambda: embeddings), hashes


def test_things_are_found_by_hash_whatever_they_are_called(here: tuple[LocalResources, Mapping[str, str]]) -> None:
    resources, hashes = here
    found = resources.checkpoint("another name", hashes["model"][:10])
    assert found == Here(f"model.safetensors [{hashes['model'][:10]}]")
    assert resources.lora("another", "a1b2c3d4e5f6") == Here("local")
    assert resources.lora("local", "") == Here("local")
    assert resources.lora("another", "") is None
    assert resources.hypernetwork("old") == Here("old")


def test_another_file_of_the_name_is_told(here: tuple[LocalResources, Mapping[str, str]]) -> None:
    resources, hashes = here
    other = "0" * 10
    assert resources.checkpoint("model", other) == Here(
        f"model.safetensors [{hashes['model'][:10]}]", hashes["model"][:10]
    )
    lora = resources.lora("plain", "0" * 12)
    assert lora is not None
    assert len(lora.differs) == 12
    embedding = resources.embedding("style", "0" * 12)
    assert embedding == Here("Style", hashes["embedding"][:12])
    assert resources.embedding("style", hashes["embedding"][:12]) == Here("Style")


def test_all_that_differs_is_told(here: tuple[LocalResources, Mapping[str, str]]) -> None:
    resources, hashes = here
    text = (
        f"p\n{LINE}, Model hash: {hashes['model'][:10]}, Model: renamed, VAE hash: 0000000000, VAE: gone.vae.pt, "
        f'TI hashes: "Style: {hashes["embedding"][:12]}, lost: 123456789abc", Hypernet: nowhere'
    )
    notes = what_differs(parse(text), resources)
    assert len(notes) == 3
    for missing in ("VAE 'gone.vae.pt' (0000000000)", "embedding 'lost' (123456789abc)", "hypernetwork 'nowhere'"):
        assert any(missing in note for note in notes)


def test_hashes_of_civitai_are_read(here: tuple[LocalResources, Mapping[str, str]]) -> None:
    resources, _ = here
    hashes = {"model": "abc", "lora:their_name": "a1b2c3d4e5f6", "embed:x": "12"}
    parsed = parse(f"<lora:their_name:0.7> p\n{LINE}, Hashes: {json.dumps(hashes)}")
    assert recorded_hashes(parsed) == hashes
    entries, notes = with_local_networks(parsed, resources.lora)
    assert entries["Prompt"] == "<lora:local:0.7> p"
    assert notes == []


def test_hashes_that_are_no_json_are_nothing() -> None:
    assert recorded_hashes({"Hashes": "{broken", "Model hash": "ABC"}) == {"model": "abc"}
