"""Models of other programs are used where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.studio.flag_table import Flags
from modules.studio.model_folders import folders_below, more_folders, read_extra_model_paths


def make(root: Path, *folders: str) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return root


def test_comfyuis_yaml_is_read_as_comfyui_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comfy = make(tmp_path / "comfy", "models/checkpoints", "models/unet", "models/clip", "models/text_encoders", "emb")
    make(tmp_path, "beside/loras")
    monkeypatch.setenv("MY_MODELS", str(comfy))
    (tmp_path / "extra_model_paths.yaml").write_text(
        """
comfyui:
    base_path: ${MY_MODELS}
    is_default: true
    checkpoints: models/checkpoints/
    diffusion_models: |
        models/missing
        models/unet
    text_encoders: |
        models/text_encoders/
        models/clip/  # legacy
    custom_nodes: custom_nodes/
    embeddings: emb
other:
    loras: beside/loras
broken: 5
"""
    )
    found = read_extra_model_paths(tmp_path / "extra_model_paths.yaml")
    assert found.checkpoints == (comfy / "models/checkpoints", comfy / "models/unet")
    assert found.text_encoders == (comfy / "models/text_encoders", comfy / "models/clip")
    assert found.loras == (tmp_path / "beside/loras",)
    own = tmp_path / "own"
    assert found.around("embeddings", [own]) == (comfy / "emb", own)
    assert found.around("loras", [own]) == (own, tmp_path / "beside/loras")


@pytest.mark.parametrize("text", ["{", "5", "a: {checkpoints: 3, base_path: 4}", "a: [1]", "\xff"])
def test_a_yaml_that_says_nothing_useful_names_no_folder(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_bytes(text.encode("latin-1"))
    assert not any(read_extra_model_paths(tmp_path / "x.yaml").kinds.values())


def test_a1111_and_comfyui_are_told_by_their_folders(tmp_path: Path) -> None:
    a1111 = make(tmp_path / "a1111", "models/Stable-diffusion", "models/Lora", "models/ESRGAN", "embeddings")
    comfy = make(tmp_path / "comfy", "models/checkpoints", "models/loras", "models/hypernetworks")
    found = folders_below(a1111)
    assert (found.checkpoints, found.loras) == ((a1111 / "models/Stable-diffusion",), (a1111 / "models/Lora",))
    assert found.embeddings == (a1111 / "embeddings",)
    for named in (comfy, comfy / "models"):
        found = folders_below(named)
        assert (found.checkpoints, found.loras) == ((comfy / "models/checkpoints",), (comfy / "models/loras",))
        assert found.hypernetworks == (comfy / "models/hypernetworks",)


def test_the_studio_searches_them_beside_its_own(tmp_path: Path) -> None:
    a1111 = make(tmp_path / "a1111", "models/Stable-diffusion", "models/ControlNet", "models/GFPGAN")
    others = more_folders(f"\n  {a1111}  \n{tmp_path / 'nothing'}\n", [tmp_path / "missing.yaml"])
    flags = Flags(data_dir=tmp_path / "own", others=others)
    assert flags.ckpt_folders == (tmp_path / "own/models/Stable-diffusion", a1111 / "models/Stable-diffusion")
    assert flags.control_folders[-1] == a1111 / "models/ControlNet"
    assert flags.face_folders[-1] == a1111 / "models/GFPGAN"
