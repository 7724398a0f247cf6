"""Networks for transformers find their modules in every spelling, on models built in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from modules.networks.names import ModuleNames, Part
from modules.networks.network import read_network
from modules.networks.patch import Patches, Wanted
from tests.checkpoints.flow_layout import flux_tensors, sd3_tensors, tiny_flux, tiny_sd3

BLOCK = "transformer_blocks.1"
QKV = [f"{BLOCK}.attn.to_{one}" for one in "qkv"]
ONE = "single_transformer_blocks.0"
FLUX = {
    # kohya
    "lora_unet_double_blocks_1_img_attn_qkv": QKV,
    "lora_unet_double_blocks_1_txt_attn_qkv": [f"{BLOCK}.attn.add_{one}_proj" for one in "qkv"],
    "lora_unet_double_blocks_1_img_mod_lin": [f"{BLOCK}.norm1.linear"],
    "lora_unet_double_blocks_1_txt_mlp_2": [f"{BLOCK}.ff_context.net.2"],
    "lora_unet_single_blocks_0_linear1": [*(f"{ONE}.attn.to_{one}" for one in "qkv"), f"{ONE}.proj_mlp"],
    "lora_unet_single_blocks_0_linear2": [f"{ONE}.proj_out"],
    "lora_unet_guidance_in_in_layer": ["time_text_embed.guidance_embedder.linear_1"],
    # black-forest-labs, ComfyUI
    "diffusion_model.double_blocks.1.img_attn.proj": [f"{BLOCK}.attn.to_out.0"],
    "double_blocks.1.txt_attn.proj": [f"{BLOCK}.attn.to_add_out"],
    "model.diffusion_model.single_blocks.0.modulation.lin": [f"{ONE}.norm.linear"],
    # diffusers, ai-toolkit, OneTrainer
    "transformer.transformer_blocks.1.attn.to_q": QKV[:1],
    "transformer.single_transformer_blocks.0.proj_mlp": [f"{ONE}.proj_mlp"],
    "diffusion_model.transformer_blocks.1.ff.net.0.proj": [f"{BLOCK}.ff.net.0.proj"],
    "lora_transformer_transformer_blocks_1_attn_to_out_0": [f"{BLOCK}.attn.to_out.0"],
    "lycoris_single_transformer_blocks_0_attn_to_k": [f"{ONE}.attn.to_k"],
    "base_model.model.transformer_blocks.1.attn.add_k_proj": [f"{BLOCK}.attn.add_k_proj"],
    # the halves of this one are swapped in diffusers: it has no name, so that nothing wrong is done
    "lora_unet_final_layer_adaLN_modulation_1": [],
}
SD3 = {
    "lora_unet_joint_blocks_1_x_block_attn_qkv": QKV,
    "lora_unet_joint_blocks_1_context_block_attn_proj": [f"{BLOCK}.attn.to_add_out"],
    "lora_unet_joint_blocks_1_x_block_mlp_fc1": [f"{BLOCK}.ff.net.0.proj"],
    "lora_unet_joint_blocks_1_context_block_adaLN_modulation_1": [f"{BLOCK}.norm1_context.linear"],
    "lora_unet_joint_blocks_2_context_block_adaLN_modulation_1": [],
    "lora_unet_joint_blocks_2_context_block_attn_qkv": [f"transformer_blocks.2.attn.add_{one}_proj" for one in "qkv"],
    "diffusion_model.joint_blocks.1.x_block.attn.proj": [f"{BLOCK}.attn.to_out.0"],
    "lora_unet_y_embedder_mlp_2": ["time_text_embed.text_embedder.linear_2"],
    "transformer.transformer_blocks.1.attn.add_q_proj": [f"{BLOCK}.attn.add_q_proj"],
}


def flux_part() -> Part:
    return Part(0, tiny_flux().transformer)


def sd3_part() -> Part:
    return Part(0, tiny_sd3().transformer)


@pytest.mark.parametrize("name", FLUX)
def test_spellings_of_flux(name: str) -> None:
    assert [place.path for place in ModuleNames([flux_part()]).find(name)] == FLUX[name]


@pytest.mark.parametrize("name", SD3)
def test_spellings_of_sd3(name: str) -> None:
    assert [place.path for place in ModuleNames([sd3_part()]).find(name)] == SD3[name]


@pytest.mark.parametrize("kind", ["flux", "sd3"])
def test_every_matrix_of_the_original_gets_its_rows(kind: str, tmp_path: Path) -> None:
    """A network that adds a constant to each weight of the original adds it where that weight went."""
    part = flux_part() if kind == "flux" else sd3_part()
    original = flux_tensors(tiny_flux().transformer) if kind == "flux" else sd3_tensors(tiny_sd3().transformer)
    named = {key.removesuffix(".weight"): value for key, value in original.items() if key.endswith(".weight")}
    deltas: dict[str, Tensor] = {}
    for number, (name, value) in enumerate(sorted(named.items()), 1):
        if value.ndim > 1 and ModuleNames([part]).find(name):
            deltas[f"diffusion_model.{name}.diff"] = torch.full_like(value, float(number))
    assert len(deltas) > 20
    save_file(deltas, tmp_path / "full.safetensors")
    before = {key: value.clone() for key, value in part.module.state_dict().items()}
    with Patches().patched([part], [Wanted(read_network(tmp_path / "full.safetensors"))]) as applied:
        assert applied.unused == ((),)
        after = part.module.state_dict()
        changed = [key for key, value in before.items() if not torch.equal(value, after[key])]
        # The original's file written from the patched network has each constant on the matrix that it was meant for.
        now = (flux_tensors if kind == "flux" else sd3_tensors)(part.module)  # type: ignore[arg-type]
        for key, delta in deltas.items():
            name = key.removeprefix("diffusion_model.").removesuffix(".diff") + ".weight"
            assert torch.allclose(now[name], original[name] + delta, atol=1e-4), name
    assert len(changed) >= len(deltas)
    assert all(torch.equal(value, before[key]) for key, value in part.module.state_dict().items())


def test_xlabs_changes_the_part_of_attention_alone(tmp_path: Path) -> None:
    part = flux_part()
    inner = part.module.get_submodule(f"{ONE}.attn.to_q").weight.shape[0]  # type: ignore[union-attr,index]
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for layer, rows, columns in (("qkv", 3 * inner, inner), ("proj", inner, inner)):
        tensors[f"single_blocks.0.processor.{layer}_lora.up.weight"] = torch.randn(rows, 2, generator=generator)
        tensors[f"single_blocks.0.processor.{layer}_lora.down.weight"] = torch.randn(2, columns, generator=generator)
    save_file(tensors, tmp_path / "xlabs.safetensors")
    before = {key: value.clone() for key, value in part.module.state_dict().items()}
    with Patches().patched([part], [Wanted(read_network(tmp_path / "xlabs.safetensors"))]) as applied:
        assert applied.unused == ((),)
        after = part.module.state_dict()
        changed = {key for key, value in before.items() if not torch.equal(value, after[key])}
        assert changed == {f"{ONE}.attn.to_{one}.weight" for one in "qkv"} | {f"{ONE}.proj_out.weight"}
        difference = after[f"{ONE}.proj_out.weight"] - before[f"{ONE}.proj_out.weight"]
        assert bool(difference[:, :inner].any())
        assert not bool(difference[:, inner:].any())
