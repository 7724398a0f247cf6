"""LoRA, hypernetworks and embeddings in the studio's lists: by name without torch, with facts after."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modules.studio.flags import parse_flags
from modules.studio.network_lists import embedding_rows
from modules.studio.studio import Studio

LISTINGS = ("loras", "hypernetworks", "embeddings")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder in ("models/Lora/style", "models/LyCORIS", "models/hypernetworks", "embeddings"):
        (tmp_path / folder).mkdir(parents=True)
    pair = {"lora_unet_x.lora_up.weight": torch.ones(2, 1), "lora_unet_x.lora_down.weight": torch.ones(1, 2)}
    save_file(pair, tmp_path / "models/Lora/style/ink.safetensors", {"ss_output_name": "Ink pen"})
    save_file(pair, tmp_path / "models/LyCORIS/chalk.safetensors")
    torch.save({8: ({}, {})}, tmp_path / "models/hypernetworks/mood.pt")
    save_file({"emb_params": torch.ones(3, 8)}, tmp_path / "embeddings/word.safetensors")
    return tmp_path


def studio_of(data: Path) -> Studio:
    return Studio(parse_flags(["--data-dir", str(data)]))


def test_names_need_no_torch(data: Path, root: Path) -> None:
    code = f"""
import json, sys
from modules.studio.flags import parse_flags
from modules.studio.studio import Studio
studio = Studio(parse_flags(["--data-dir", {str(data)!r}]))
print(json.dumps([[studio.listing(name) for name in {LISTINGS}], "torch" in sys.modules]))
studio.close()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    names, torch_loaded = json.loads(done.stdout.splitlines()[-1])
    assert names == [["None", "chalk", "ink"], ["None", "mood"], ["word"]]
    assert not torch_loaded


def test_rows_are_those_of_the_api(data: Path) -> None:
    studio = studio_of(data)
    try:
        chalk, ink = studio.details("loras")
        assert (ink["name"], ink["alias"], ink["metadata"]) == ("ink", "Ink pen", {"ss_output_name": "Ink pen"})
        assert ink["path"].endswith("ink.safetensors")
        assert studio.details("hypernetworks")[0]["name"] == "mood"
        (word,) = embedding_rows(studio)
        assert (word["name"], word["vectors"], word["shape"], word["skipped"]) == ("word", 3, 8, False)
    finally:
        studio.close()


def test_a_refresh_sees_new_files(data: Path) -> None:
    studio = studio_of(data)
    try:
        assert "new" not in studio.listing("loras")
        (data / "models/Lora/new.safetensors").write_bytes((data / "models/LyCORIS/chalk.safetensors").read_bytes())
        assert "new" in studio.refresh("loras")
    finally:
        studio.close()


def test_hashes_are_those_of_the_content_unless_forbidden(data: Path) -> None:
    for flags, expected in (([], 12), (["--no-hashing"], 0)):
        studio = Studio(parse_flags(["--data-dir", str(data), *flags]))
        try:
            assert len(studio.loras.short_hash(studio.loras.find("ink"))) == expected
        finally:
            studio.close()
