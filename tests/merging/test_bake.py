"""A LoRA baked into a file is the LoRA applied to the model; a LoRA extracted from two files is their difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modules.checkpoints.files import StateDict, open_tensors
from modules.checkpoints.load import load_checkpoint
from modules.generation.network_parts import PartsOf
from modules.merging.bake import bake
from modules.merging.extract import extract, low_rank
from modules.merging.merge import Sources, plan
from modules.networks.network import read_network
from modules.networks.patch import Patches, Wanted
from modules.terms.errors import BadRequest, Cancelled
from modules.terms.merging import NO_INTERPOLATION, ExtractRequest, MergeRequest
from tests.checkpoints.flow_layout import tiny_flux, write_flux
from tests.checkpoints.test_open_clip_families import networks, write

Make = Callable[..., Path]
EXTRACT = ExtractRequest(tuned="a", base="b", rank=320, number_format="float32")


def weights_of(path: Path) -> dict[str, Tensor]:
    """Every weight of the loaded networks, by part and name."""
    bundle = load_checkpoint(path)
    parts: list[nn.Module] = [bundle.unet, *(clip.model for clip in bundle.clips)]
    return {f"{place}.{key}": value for place, part in enumerate(parts) for key, value in part.state_dict().items()}


QUERY = "0.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight"
TEXTS = ("1.{}encoder.layers.0.self_attn.q_proj.weight", "2.{}encoder.layers.0.self_attn.v_proj.weight")


def write_lora(path: Path, weights: dict[str, Tensor]) -> Path:
    """A LoRA on a layer of the UNet, on layers that some files pack with others, and on one that fits nothing."""
    generator = torch.Generator().manual_seed(5)
    found: dict[str, Tensor] = {}

    def add(name: str, shape: tuple[int, ...]) -> None:
        found[f"{name}.lora_up.weight"] = torch.randn(shape[0], 4, generator=generator)
        found[f"{name}.lora_down.weight"] = torch.randn(4, shape[1], generator=generator)
        found[f"{name}.alpha"] = torch.tensor(2.0)

    add("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", weights[QUERY].shape)
    for number, text in enumerate(TEXTS, 1):
        key = next((name for name in (text.format(""), text.format("text_model.")) if name in weights), None)
        if key:
            layer = key.split("self_attn.")[1].removesuffix(".weight")
            add(f"lora_te{number}_text_model_encoder_layers_0_self_attn_{layer}", weights[key].shape)
    add("lora_unet_nowhere", (8, 8))
    save_file(found, path)
    return path


@pytest.mark.parametrize("kind", ["SD 1", "SDXL"])
def test_a_lora_is_baked_in(kind: str, make: Make, tmp_path: Path) -> None:
    path = make("a", 1) if kind == "SD 1" else write(tmp_path / "xl.safetensors", networks(6))
    before = weights_of(path)
    lora = Wanted(read_network(write_lora(tmp_path / "lora.safetensors", before)), unet=0.8, te=0.5)
    state = open_tensors(path)
    baked = bake(state, [("lora", lora)])
    assert "lora_unet_nowhere" in baked.notes[0]
    request = MergeRequest(primary="a", method=NO_INTERPOLATION)
    plan(request, Sources(state, baked=baked)).write(tmp_path / "m.safetensors", {}, lambda *_: None)
    found = weights_of(tmp_path / "m.safetensors")

    bundle = load_checkpoint(path)
    with Patches().patched(PartsOf()(bundle), [lora]):
        parts: list[nn.Module] = [bundle.unet, *(clip.model for clip in bundle.clips)]
        drawn = {
            f"{place}.{key}": value for place, part in enumerate(parts) for key, value in part.state_dict().items()
        }
        changed = [key for key, value in drawn.items() if not torch.equal(value, before[key])]
        assert len(changed) == (3 if kind == "SDXL" else 2)
        assert all(torch.equal(found[key], value) for key, value in drawn.items())


def extracted(tuned: StateDict, base: StateDict, request: ExtractRequest = EXTRACT) -> dict[str, Tensor]:
    return extract(tuned, base, request, lambda done, total: None).tensors


def test_a_full_rank_extract_brings_the_tuned_model_back(make: Make, tmp_path: Path) -> None:
    base, tuned = make("base", 1), make("tuned", 2)
    save_file(extracted(open_tensors(tuned), open_tensors(base)), tmp_path / "lora.safetensors")
    bundle = load_checkpoint(base)
    wanted = Wanted(read_network(tmp_path / "lora.safetensors"))
    goal = weights_of(tuned)
    with Patches().patched(PartsOf()(bundle), [wanted]) as applied:
        assert applied.unused == ((),)
        compared = 0
        for place, part in enumerate((bundle.unet, bundle.clips[0].model)):
            for key, value in part.state_dict().items():
                if value.ndim > 1 and "embedding" not in key:
                    assert torch.allclose(value, goal[f"{place}.{key}"], atol=1e-4), key
                    compared += 1
        assert compared > 50


def test_transformers_are_extracted_too(tmp_path: Path) -> None:
    base = write_flux(tmp_path / "base.safetensors", tiny_flux())
    state = load_file(base)
    tuned = {key: value + 0.1 if key.endswith("img_mlp.2.weight") else value for key, value in state.items()}
    save_file(tuned, tmp_path / "tuned.safetensors")
    found = extracted(open_tensors(tmp_path / "tuned.safetensors"), open_tensors(base))
    save_file(found, tmp_path / "lora.safetensors")
    assert len(found) == 3 * 2
    bundle = load_checkpoint(base)
    with Patches().patched(PartsOf()(bundle), [Wanted(read_network(tmp_path / "lora.safetensors"))]) as applied:
        assert applied.unused == ((),)
        weight = bundle.unet.get_parameter("transformer_blocks.0.ff.net.2.weight")
        goal = tuned["model.diffusion_model.double_blocks.0.img_mlp.2.weight"]
        assert torch.allclose(weight, goal, atol=1e-4)


def test_what_did_not_change_is_not_in_the_lora(make: Make, tensors: dict[str, Tensor]) -> None:
    key = "model.diffusion_model.input_blocks.1.1.proj_in.weight"
    base = open_tensors(make("base", 1))
    changed = {key: base[key] + 1}
    tuned = open_tensors(make("tuned", 1, **changed))
    found = extracted(tuned, base)
    assert {name.split(".")[0] for name in found} == {"lora_unet_down_blocks_0_attentions_0_proj_in"}
    with pytest.raises(BadRequest, match="same weights"):
        extracted(base, base)


def test_half_precision_alone_is_no_difference(make: Make) -> None:
    base, half = open_tensors(make("base", 1)), open_tensors(make("half", 1, dtype=torch.float16))
    with pytest.raises(BadRequest, match="same weights"):
        extracted(half, base)


def test_extracting_can_be_stopped(make: Make) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        extract(open_tensors(make("tuned", 2)), open_tensors(make("base", 1)), EXTRACT, stop)


@pytest.mark.parametrize("rank", [1, 4, 16])
def test_the_randomised_decomposition_is_nearly_the_best(rank: int) -> None:
    generator = torch.Generator().manual_seed(3)
    sizes = torch.logspace(0, -3, 60)
    left, right = (torch.linalg.qr(torch.randn(side, 60, generator=generator)).Q for side in (90, 70))
    matrix = (left * sizes) @ right.t()
    up, down = low_rank(matrix, rank, generator)
    best = sizes[rank:].square().sum().sqrt()
    assert up.shape == (90, rank)
    assert torch.linalg.matrix_norm(matrix - up @ down) <= 1.01 * best


def test_a_low_rank_captures_less(make: Make) -> None:
    tuned, base = open_tensors(make("tuned", 2)), open_tensors(make("base", 1))
    few, more = (extract(tuned, base, ExtractRequest("a", "b", rank=rank), lambda *_: None).captured for rank in (1, 8))
    assert 0 < few < more < 1


def test_loading_the_extract_of_half_files(make: Make, tmp_path: Path) -> None:
    tuned, base = (open_tensors(make(name, seed, dtype=torch.float16)) for name, seed in (("t", 2), ("b", 1)))
    save_file(extracted(tuned, base, ExtractRequest("a", "b", rank=4, conv_rank=2)), tmp_path / "l.safetensors")
    found = load_file(tmp_path / "l.safetensors")
    spatial = [value for key, value in found.items() if key.endswith("lora_down.weight") and value.shape[-1] == 3]
    assert spatial
    assert {len(value) for value in spatial} == {2}
    assert all(value.dtype == torch.float16 for key, value in found.items() if "lora_" in key.split(".")[1])
