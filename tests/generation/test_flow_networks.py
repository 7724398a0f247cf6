"""LoRA in transformers as they are loaded: from one file, from several, and from files whose weights stay packed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.companions import Companions
from modules.checkpoints.load import load_checkpoint
from modules.generation.network_parts import PartsOf
from modules.networks.network import read_network
from modules.networks.patch import Patches, Wanted
from tests.checkpoints.flow_layout import own_tensors, save, tiny_flux, tiny_sd3, write_flux, write_sd3
from tests.checkpoints.original_layout import text_tensors, vae_tensors
from tests.checkpoints.quantised_files import write_fp8, write_gguf

SCALE = 0.5
LAYERS = {
    "lora_unet_double_blocks_0_img_attn_qkv": "double_blocks.0.img_attn.qkv",
    "lora_unet_single_blocks_1_linear1": "single_blocks.1.linear1",
    "transformer.transformer_blocks.1.ff.net.2": "double_blocks.1.img_mlp.2",
}


def whole(folder: Path) -> ModelBundle:
    return load_checkpoint(write_flux(folder / "flux.safetensors", tiny_flux()))


def beside(folder: Path) -> Companions:
    made = tiny_flux()
    save(folder / "clip_l.safetensors", text_tensors(made.clip, ""))
    save(folder / "t5xxl_fp16.safetensors", own_tensors(made.t5))
    save(folder / "ae.safetensors", vae_tensors(made.vae, ""))
    return Companions([folder])


def alone(folder: Path) -> ModelBundle:
    path = write_flux(folder / "flux.safetensors", tiny_flux(), whole=False, prefix="")
    return load_checkpoint(path, companions=beside(folder))


def fp8(folder: Path) -> ModelBundle:
    return load_checkpoint(write_fp8(folder / "flux8.safetensors", transformer(folder)), companions=beside(folder))


def gguf(folder: Path) -> ModelBundle:
    return load_checkpoint(write_gguf(folder / "flux.gguf", transformer(folder)), companions=beside(folder))


def transformer(folder: Path) -> dict[str, Tensor]:
    path = write_flux(folder / "plain.safetensors", tiny_flux(), whole=False, prefix="")
    tensors = load_file(path)
    path.unlink()
    return tensors


def write_lora(path: Path, texts: dict[str, tuple[int, int]]) -> Path:
    tensors = transformer(path.parent)
    shapes = {name: tuple(tensors[f"{key}.weight"].shape) for name, key in LAYERS.items()} | texts
    generator = torch.Generator().manual_seed(1)
    found: dict[str, Tensor] = {}
    for name, (rows, columns) in shapes.items():
        up, down = ("lora_B", "lora_A") if name.startswith("transformer.") else ("lora_up", "lora_down")
        found[f"{name}.{up}.weight"] = torch.randn(rows, 4, generator=generator) * 0.1
        found[f"{name}.{down}.weight"] = torch.randn(4, columns, generator=generator) * 0.1
        found[f"{name}.alpha"] = torch.tensor(4.0)
    save_file(found, path)
    return path


def answers(bundle: ModelBundle) -> dict[str, Tensor]:
    """What layers that the LoRA reaches, and one that it does not, make of the same input."""
    blocks = ("transformer_blocks.0.attn.to_k", "single_transformer_blocks.1.proj_mlp", "transformer_blocks.1.ff.net.2")
    found = {}
    for path in (*blocks, "transformer_blocks.1.attn.to_k"):
        layer = bundle.unet.get_submodule(path)
        assert isinstance(layer, nn.Linear)
        found[path] = layer(torch.linspace(-1, 1, layer.in_features)[None])
    return found


@pytest.mark.parametrize("load", [whole, alone, fp8, gguf])
@torch.no_grad()
def test_a_lora_of_mixed_spellings_acts_on_flux(load: Callable[[Path], ModelBundle], tmp_path: Path) -> None:
    texts = {
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj": (24, 24),
        "lora_te3_encoder_block_0_layer_0_SelfAttention_q": (32, 32),
        "text_encoder_2.encoder.block.1.layer.0.SelfAttention.k": (32, 32),
    }
    lora = Wanted(read_network(write_lora(tmp_path / "lora.safetensors", texts)), unet=SCALE, te=SCALE)
    bundle = load(tmp_path)
    parts, patches, before = PartsOf()(bundle), Patches(), answers(bundle)
    weights = {key: value.clone() for part in parts for key, value in part.module.state_dict().items()}
    with patches.patched(parts, [lora]) as applied:
        assert applied.unused == ((),)
        assert applied.in_text == (True,)
        after = answers(bundle)
    file = load_file(tmp_path / "lora.safetensors")
    expected = {
        "transformer_blocks.0.attn.to_k": ("lora_unet_double_blocks_0_img_attn_qkv", slice(64, 128)),
        "single_transformer_blocks.1.proj_mlp": ("lora_unet_single_blocks_1_linear1", slice(192, None)),
        "transformer_blocks.1.ff.net.2": ("transformer.transformer_blocks.1.ff.net.2", slice(None)),
    }
    for path, (name, rows) in expected.items():
        up, down = ("lora_B", "lora_A") if name.startswith("transformer.") else ("lora_up", "lora_down")
        delta = (file[f"{name}.{up}.weight"] @ file[f"{name}.{down}.weight"])[rows] * SCALE
        x = torch.linspace(-1, 1, delta.shape[1])[None]
        assert torch.allclose(after[path] - before[path], x @ delta.t(), atol=1e-4), path
    assert torch.equal(after["transformer_blocks.1.attn.to_k"], before["transformer_blocks.1.attn.to_k"])
    now = {key: value for part in parts for key, value in part.module.state_dict().items()}
    assert all(torch.equal(value, now[key]) for key, value in weights.items())


def test_weights_of_a_lone_transformer_are_read_again_instead_of_kept(tmp_path: Path) -> None:
    bundle = alone(tmp_path)
    parts = PartsOf()(bundle)
    assert all(part.source is not None for part in parts)
    # Another file under the name: what is loaded no longer comes from it.
    path = tmp_path / "flux.safetensors"
    other = {key: value + 1 for key, value in load_file(path).items()}
    path.unlink()
    save_file(other, path)
    assert PartsOf()(bundle)[0].source is None


@torch.no_grad()
def test_a_lora_acts_on_sd3_and_its_encoders(tmp_path: Path) -> None:
    bundle = load_checkpoint(write_sd3(tmp_path / "sd3.safetensors", tiny_sd3()))
    generator = torch.Generator().manual_seed(1)
    shapes = {
        "lora_unet_joint_blocks_0_x_block_attn_qkv": (144, 48),
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj": (24, 24),
        "lora_te2_text_model_encoder_layers_0_self_attn_q_proj": (40, 40),
        "lora_te3_encoder_block_0_layer_0_SelfAttention_q": (32, 96),
    }
    found: dict[str, Tensor] = {}
    for name, (rows, columns) in shapes.items():
        found[f"{name}.lora_up.weight"] = torch.randn(rows, 2, generator=generator)
        found[f"{name}.lora_down.weight"] = torch.randn(2, columns, generator=generator)
    save_file(found, tmp_path / "lora.safetensors")
    with Patches().patched(PartsOf()(bundle), [Wanted(read_network(tmp_path / "lora.safetensors"))]) as applied:
        assert applied.unused == ((),)
