"""A UNet of SD 1 or SDXL without text encoders, as GGUF files are: it finds the rest beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from modules.checkpoints.companions import Companions
from modules.checkpoints.inspect import inspect_file
from modules.checkpoints.load import load_checkpoint
from modules.conditioning.encode import PromptEncoder, Timing
from modules.terms.errors import NotFound
from tests.checkpoints.flow_layout import BIG_CLIP, SMALL_CLIP, clip_tensors, save
from tests.checkpoints.original_layout import sd1_tensors, text_tensors, tiny_sd1, unet_tensors, vae_tensors, write_sd1
from tests.checkpoints.quantised_files import write_gguf


def difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@torch.no_grad()
def test_sd1_unet_in_gguf(tmp_path: Path, prefix: str) -> None:
    text = {**SMALL_CLIP, "hidden_size": 32}
    tiny, beside = tiny_sd1(text=text), tmp_path / "beside"
    beside.mkdir()
    path = write_gguf(tmp_path / "sd1.gguf", unet_tensors(tiny.unet, prefix), "F16", chosen=lambda key, value: False)
    assert inspect_file(path).base == "SD 1.x"
    with pytest.raises(NotFound, match="CLIP-L"):
        load_checkpoint(path, companions=Companions([beside]))
    save(beside / "clip_l.safetensors", text_tensors(tiny.text, ""))
    save(beside / "vae-ft-mse.safetensors", vae_tensors(tiny.vae, ""))
    bundle = load_checkpoint(path, companions=Companions([beside]))
    whole = load_checkpoint(write_sd1(tmp_path / "whole.safetensors", tiny))
    x, cross = torch.randn(1, 4, 8, 8), torch.randn(1, 7, 32)
    args = x, torch.tensor([300.0]), cross
    assert difference(bundle.predict(*args), whole.predict(*args)) <= 1e-5
    said = [PromptEncoder(one.clips).negative("a red dot", Timing(1)).at(0).cross for one in (bundle, whole)]
    assert difference(*said) <= 1e-5
    assert bundle.module_names == whole.module_names


@torch.no_grad()
def test_sdxl_unet_asks_for_both_encoders(tmp_path: Path) -> None:
    wide = {"cross_attention_dim": 24 + 40, "class_embed_type": "projection", "use_linear_projection": True}
    tiny = tiny_sd1(unet={**wide, "projection_class_embeddings_input_dim": 40 + 1536})
    beside = tmp_path / "beside"
    beside.mkdir()
    path = save(tmp_path / "sdxl.safetensors", unet_tensors(tiny.unet, ""))
    with pytest.raises(NotFound, match=r"CLIP-L .*CLIP-G"):
        load_checkpoint(path, companions=Companions([beside]))
    torch.manual_seed(3)
    first = CLIPTextModel(CLIPTextConfig(**SMALL_CLIP)).eval()
    second = CLIPTextModelWithProjection(CLIPTextConfig(**BIG_CLIP)).eval()
    save(beside / "one.safetensors", text_tensors(first, ""))
    save(beside / "two.safetensors", clip_tensors(second))
    save(beside / "sdxl_vae.safetensors", vae_tensors(tiny.vae, ""))
    bundle = load_checkpoint(path, companions=Companions([beside]))
    assert (bundle.family.name, [clip.name for clip in bundle.clips]) == ("SDXL", ["clip_l", "clip_g"])
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("a red dot", Timing(1)).at(0)
    assert said.cross.shape == (77, 64)
    words = bundle.clips[1].tokenizer.encode("a red dot")  # type: ignore[union-attr]
    row = torch.tensor([[49406, *words, 49407, *[0] * (75 - len(words))]])
    assert said.vector is not None
    assert difference(said.vector, second(row).text_embeds[0]) <= 1e-4


def test_a_whole_file_is_not_alone(tmp_path: Path) -> None:
    tensors = {key: value for key, value in sd1_tensors(tiny_sd1()).items() if "model_ema" not in key}
    assert inspect_file(save(tmp_path / "whole.safetensors", tensors)).base == "SD 1.x"
    assert len(load_checkpoint(tmp_path / "whole.safetensors").clips) == 1
