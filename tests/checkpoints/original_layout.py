"""Tiny random models written the way the original training code writes them, by arithmetic on block numbers.

The reader under test finds the blocks by walking the file's keys; this writer counts, so that the two cannot share a
mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
UNET = {
    "block_out_channels": (32, 64, 64),
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 2,
    "cross_attention_dim": 32,
    "attention_head_dim": 8,
}
VAE = {
    "block_out_channels": (32, 64),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "layers_per_block": 1,
}
TEXT = {
    "vocab_size": 600,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "bos_token_id": 598,
    "eos_token_id": 599,
    "pad_token_id": 599,
}


@dataclass(frozen=True)
class Tiny:
    """The networks as diffusers and transformers build them: what a loaded file is compared with."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text: nn.Module


def tiny_sd1(
    unet: Mapping[str, Any] | None = None, vae: Mapping[str, Any] | None = None, text: Mapping[str, Any] | None = None
) -> Tiny:
    """Random networks of SD 1.x's kind; the arguments change some of their dimensions. Do not change their weights."""
    return _tiny_sd1(*(tuple(sorted((changes or {}).items())) for changes in (unet, vae, text)))


@lru_cache(maxsize=8)
def _tiny_sd1(
    unet: tuple[tuple[str, Any], ...], vae: tuple[tuple[str, Any], ...], text: tuple[tuple[str, Any], ...]
) -> Tiny:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        networks = Tiny(
            UNet2DConditionModel(**{**UNET, **dict(unet)}),
            AutoencoderKL(**{**VAE, **dict(vae)}),
            CLIPTextModel(CLIPTextConfig(**{**TEXT, **dict(text)})),
        )
    for network in (networks.unet, networks.vae, networks.text):
        network.eval().requires_grad_(False)
    return networks


def sd1_tensors(tiny: Tiny) -> dict[str, Tensor]:
    """`tiny` under the names of an SD 1.x file."""
    return {
        **unet_tensors(tiny.unet),
        **vae_tensors(tiny.vae),
        **text_tensors(tiny.text, "cond_stage_model.transformer."),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77)[None],
        "model_ema.decay": torch.tensor(0.9999),
    }


def write_sd1(path: Path, tiny: Tiny, dtype: torch.dtype | None = None, **more: Tensor) -> Path:
    """`tiny` as an SD 1.x file; `more` tensors are added under their own names."""
    tensors = {
        key: value.to(dtype) if dtype and value.is_floating_point() else value
        for key, value in sd1_tensors(tiny).items()
    }
    save_file({key: value.contiguous().clone() for key, value in (tensors | more).items()}, path)
    return path


def text_tensors(text: nn.Module, prefix: str) -> dict[str, Tensor]:
    """A transformers encoder as SD 1.x and SDXL keep it."""
    return {f"{prefix}text_model.{key.removeprefix('text_model.')}": value for key, value in text.state_dict().items()}


def open_clip_tensors(text: nn.Module, prefix: str) -> dict[str, Tensor]:
    """A transformers encoder in OpenCLIP's spelling: q, k and v in one matrix, the projection the other way round."""
    state = {key.removeprefix("text_model."): value for key, value in text.state_dict().items()}
    named = {
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
        "text_projection": state["text_projection.weight"].t(),
        "logit_scale": torch.tensor(4.6),
    }
    names = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    names["self_attn.out_proj"] = "attn.out_proj"
    for layer in range(text.config.num_hidden_layers):
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for end in ("weight", "bias"):
            named |= {f"{theirs}.{new}.{end}": state[f"{ours}.{old}.{end}"] for old, new in names.items()}
            packed = [state[f"{ours}.self_attn.{one}_proj.{end}"] for one in "qkv"]
            named[f"{theirs}.attn.in_proj_{end}"] = torch.cat(packed)
    return {prefix + key: value for key, value in named.items()}


def unet_tensors(unet: UNet2DConditionModel, prefix: str = "model.diffusion_model.") -> dict[str, Tensor]:
    layers = unet.config.layers_per_block
    return {prefix + unet_key(key, layers, unet): value for key, value in unet.state_dict().items()}


def unet_key(key: str, layers: int, unet: UNet2DConditionModel) -> str:
    parts = key.split(".")
    if parts[0] == "time_embedding":
        return f"time_embed.{0 if parts[1] == 'linear_1' else 2}.{parts[2]}"
    if parts[0] in ("class_embedding", "add_embedding"):
        return f"label_emb.0.{0 if parts[1] == 'linear_1' else 2}.{parts[2]}"
    if parts[0] in ("conv_in", "conv_norm_out", "conv_out"):
        return {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}[parts[0]] + f".{parts[1]}"
    if parts[0] == "mid_block":
        if parts[1] == "attentions":
            return f"middle_block.1.{'.'.join(parts[3:])}"
        place = 2 * int(parts[2]) if unet.config.mid_block_type == "UNetMidBlock2DCrossAttn" else int(parts[2])
        return f"middle_block.{place}.{RESIDUAL[parts[3]]}.{parts[4]}"
    level, kind, index = int(parts[1]), parts[2], int(parts[3])
    if parts[0] == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * (layers + 1)}.0.op.{parts[-1]}"
        block = f"input_blocks.{1 + level * (layers + 1) + index}"
    else:
        block = f"output_blocks.{level * (layers + 1) + (layers if kind == 'upsamplers' else index)}"
        if kind == "upsamplers":
            attended = unet.config.up_block_types[level].startswith("CrossAttn")
            return f"{block}.{2 if attended else 1}.conv.{parts[-1]}"
    if kind == "resnets":
        return f"{block}.0.{RESIDUAL[parts[4]]}.{parts[5]}"
    return f"{block}.1.{'.'.join(parts[4:])}"


def vae_tensors(vae: AutoencoderKL, prefix: str = "first_stage_model.") -> dict[str, Tensor]:
    levels = len(vae.config.block_out_channels)
    named = {}
    for key, value in vae.state_dict().items():
        new = vae_key(key, levels)
        is_convolution = ".attn_" in new and ".norm." not in new and value.ndim == 2
        named[prefix + new] = value[:, :, None, None] if is_convolution else value
    return named


def vae_key(key: str, levels: int) -> str:
    parts = key.split(".")
    if parts[0] in ("quant_conv", "post_quant_conv", "bn"):
        return key
    half, rest = parts[0], parts[1:]
    if rest[0] in ("conv_in", "conv_out"):
        return key
    if rest[0] == "conv_norm_out":
        return f"{half}.norm_out.{rest[1]}"
    if rest[0] == "mid_block":
        if rest[1] == "resnets":
            return f"{half}.mid.block_{int(rest[2]) + 1}.{shortcut(rest[3])}.{rest[4]}"
        return f"{half}.mid.attn_1.{ATTENTION['.'.join(rest[3:-1])]}.{rest[-1]}"
    level = int(rest[1])
    place = f"down.{level}" if half == "encoder" else f"up.{levels - 1 - level}"
    if rest[2] == "resnets":
        return f"{half}.{place}.block.{rest[3]}.{shortcut(rest[4])}.{rest[5]}"
    if rest[2] == "attentions":
        return f"{half}.{place}.attn.{rest[3]}.{ATTENTION['.'.join(rest[4:-1])]}.{rest[-1]}"
    return f"{half}.{place}.{'downsample' if half == 'encoder' else 'upsample'}.conv.{rest[-1]}"


def shortcut(layer: str) -> str:
    return "nin_shortcut" if layer == "conv_shortcut" else layer
