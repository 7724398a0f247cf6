"""Tiny random SD 3 and FLUX.1 models, written the way their makers and ComfyUI write them.

The writer goes from diffusers' names to the original ones; the reader under test goes the other way, by other means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel, SD3Transformer2DModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from tests.checkpoints.original_layout import text_tensors, vae_tensors

WORDS = {"vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
SMALL_CLIP = {**WORDS, "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 1}
BIG_CLIP = {**SMALL_CLIP, "hidden_size": 40, "projection_dim": 40, "hidden_act": "gelu"}
T5 = {
    "vocab_size": 32128, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4,
    "feed_forward_proj": "gated-gelu", "dropout_rate": 0.0,
}  # fmt: skip
VAE = {
    "block_out_channels": (32, 32, 32, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "latent_channels": 16,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
FLUX = {
    "in_channels": 64, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 32, "num_attention_heads": 2,
    "joint_attention_dim": 32, "pooled_projection_dim": 24, "guidance_embeds": True, "axes_dims_rope": (4, 14, 14),
}  # fmt: skip
SD3 = {
    "in_channels": 16, "num_layers": 3, "attention_head_dim": 16, "num_attention_heads": 3, "pos_embed_max_size": 12,
    "joint_attention_dim": 96, "caption_projection_dim": 48, "pooled_projection_dim": 64, "out_channels": 16,
}  # fmt: skip
FLUX_VAE_SCALE = {"scaling_factor": 0.3611, "shift_factor": 0.1159}
SD3_VAE_SCALE = {"scaling_factor": 1.5305, "shift_factor": 0.0609}


@dataclass(frozen=True)
class Flux:
    transformer: FluxTransformer2DModel
    vae: AutoencoderKL
    clip: CLIPTextModel
    t5: T5EncoderModel


@dataclass(frozen=True)
class StableDiffusion3:
    transformer: SD3Transformer2DModel
    vae: AutoencoderKL
    clip_l: CLIPTextModelWithProjection
    clip_g: CLIPTextModelWithProjection
    t5: T5EncoderModel


@lru_cache(maxsize=4)
def tiny_flux(*, guided: bool = True, in_channels: int = 64) -> Flux:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        made = Flux(
            FluxTransformer2DModel(
                **{**FLUX, "guidance_embeds": guided, "in_channels": in_channels, "out_channels": 64}
            ),
            AutoencoderKL(**VAE, **FLUX_VAE_SCALE),
            CLIPTextModel(CLIPTextConfig(**SMALL_CLIP)),
            T5EncoderModel(T5Config(**T5)),
        )
        return frozen(made)


@lru_cache(maxsize=4)
def tiny_sd3(*, dual: tuple[int, ...] = (), qk_norm: str | None = None) -> StableDiffusion3:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        clip_l = {**SMALL_CLIP, "projection_dim": 24}
        made = StableDiffusion3(
            SD3Transformer2DModel(**SD3, dual_attention_layers=dual, qk_norm=qk_norm),
            AutoencoderKL(**VAE, **SD3_VAE_SCALE),
            CLIPTextModelWithProjection(CLIPTextConfig(**clip_l)),
            CLIPTextModelWithProjection(CLIPTextConfig(**BIG_CLIP)),
            T5EncoderModel(T5Config(**{**T5, "d_model": 96})),
        )
        return frozen(made)


def frozen(made: Any) -> Any:
    """`made` with its networks ready to be asked, and far enough from zero that each of them matters."""
    for network in vars(made).values():
        network.eval().requires_grad_(False)
        for name, weight in network.named_parameters():
            if weight.ndim > 1 and "embed" not in name:
                weight.normal_(std=0.3 / weight[0].numel() ** 0.25 / 2)
            elif name.endswith("bias"):
                weight.normal_(std=0.05)
    # What it encodes is certain: diffusers' pipelines draw from the posterior, the mean is taken here.
    for half, value in ((made.vae.encoder.conv_out.weight, 0.0), (made.vae.encoder.conv_out.bias, -30.0)):
        half[VAE["latent_channels"] :] = value
    return made


def save(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path, metadata)
    return path


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in tensors.items()}


def own_tensors(network: nn.Module) -> dict[str, Tensor]:
    """A transformers encoder as it saves itself: tied weights once."""
    return {key: value for key, value in network.state_dict().items() if key != "encoder.embed_tokens.weight"}


def write_flux(
    path: Path,
    made: Flux,
    *,
    whole: bool = True,
    prefix: str = "model.diffusion_model.",
    metadata: dict[str, str] | None = None,
) -> Path:
    """As ComfyUI writes it: everything in one file, or (not `whole`) the transformer alone."""
    tensors = prefixed(prefix, flux_tensors(made.transformer))
    if whole:
        tensors |= vae_tensors(made.vae, "vae.")
        tensors |= text_tensors(made.clip, "text_encoders.clip_l.transformer.")
        tensors |= prefixed("text_encoders.t5xxl.transformer.", own_tensors(made.t5))
    return save(path, tensors, metadata)


def write_sd3(path: Path, made: StableDiffusion3, *, texts: bool = True, t5: bool = True) -> Path:
    tensors = prefixed("model.diffusion_model.", sd3_tensors(made.transformer))
    tensors |= vae_tensors(made.vae, "first_stage_model.")
    if texts:
        for name, clip in (("clip_l", made.clip_l), ("clip_g", made.clip_g)):
            tensors |= clip_tensors(clip, f"text_encoders.{name}.transformer.")
    if texts and t5:
        tensors |= prefixed("text_encoders.t5xxl.transformer.", own_tensors(made.t5))
    return save(path, tensors)


def clip_tensors(clip: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """A CLIP with projection as transformers before 5 wrote it."""
    named = text_tensors(clip, prefix)
    projection = named.pop(f"{prefix}text_model.text_projection.weight")
    return {**named, f"{prefix}text_projection.weight": projection}


def fused(state: Mapping[str, Tensor], names: list[str], end: str) -> Tensor:
    return torch.cat([state[f"{name}.{end}"] for name in names])


def swapped(value: Tensor) -> Tensor:
    return torch.cat(list(reversed(value.chunk(2))))


def flux_tensors(network: FluxTransformer2DModel) -> dict[str, Tensor]:
    """In the layout of black-forest-labs/flux."""
    state = network.state_dict()
    named: dict[str, Tensor] = {}
    simple = {"x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear"}
    for ours, theirs in (("timestep", "time"), ("text", "vector"), ("guidance", "guidance")):
        for number, layer in ((1, "in"), (2, "out")):
            simple[f"time_text_embed.{ours}_embedder.linear_{number}"] = f"{theirs}_in.{layer}_layer"
    double = {
        "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin",
        "attn.to_out.0": "img_attn.proj", "attn.to_add_out": "txt_attn.proj",
        "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2",
        "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2",
    }  # fmt: skip
    scales = {
        "attn.norm_q": "img_attn.norm.query_norm", "attn.norm_k": "img_attn.norm.key_norm",
        "attn.norm_added_q": "txt_attn.norm.query_norm", "attn.norm_added_k": "txt_attn.norm.key_norm",
    }  # fmt: skip
    for end in ("weight", "bias"):
        named |= {f"{new}.{end}": state[f"{old}.{end}"] for old, new in simple.items() if f"{old}.{end}" in state}
        named[f"final_layer.adaLN_modulation.1.{end}"] = swapped(state[f"norm_out.linear.{end}"])
        for block in range(network.config.num_layers):
            old, new = f"transformer_blocks.{block}", f"double_blocks.{block}"
            named |= {f"{new}.{b}.{end}": state[f"{old}.{a}.{end}"] for a, b in double.items()}
            named[f"{new}.img_attn.qkv.{end}"] = fused(state, [f"{old}.attn.to_{one}" for one in "qkv"], end)
            named[f"{new}.txt_attn.qkv.{end}"] = fused(state, [f"{old}.attn.add_{one}_proj" for one in "qkv"], end)
        for block in range(network.config.num_single_layers):
            old, new = f"single_transformer_blocks.{block}", f"single_blocks.{block}"
            parts = [*(f"{old}.attn.to_{one}" for one in "qkv"), f"{old}.proj_mlp"]
            named[f"{new}.linear1.{end}"] = fused(state, parts, end)
            named[f"{new}.linear2.{end}"] = state[f"{old}.proj_out.{end}"]
            named[f"{new}.modulation.lin.{end}"] = state[f"{old}.norm.linear.{end}"]
    for block in range(network.config.num_layers):
        named |= {
            f"double_blocks.{block}.{b}.scale": state[f"transformer_blocks.{block}.{a}.weight"]
            for a, b in scales.items()
        }
    for block in range(network.config.num_single_layers):
        for one, name in (("q", "query"), ("k", "key")):
            weight = state[f"single_transformer_blocks.{block}.attn.norm_{one}.weight"]
            named[f"single_blocks.{block}.norm.{name}_norm.scale"] = weight
    return named


def sd3_tensors(network: SD3Transformer2DModel) -> dict[str, Tensor]:
    """In the layout of Stability AI's sd3.5."""
    state = network.state_dict()
    last = network.config.num_layers - 1
    named = {"pos_embed": state["pos_embed.pos_embed"]}
    simple = {
        "pos_embed.proj": "x_embedder.proj", "context_embedder": "context_embedder", "proj_out": "final_layer.linear",
        "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
        "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
        "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
        "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
    }  # fmt: skip
    for block in range(last + 1):
        old, new = f"transformer_blocks.{block}", f"joint_blocks.{block}"
        simple |= {
            f"{old}.attn.to_out.0": f"{new}.x_block.attn.proj", f"{old}.attn2.to_out.0": f"{new}.x_block.attn2.proj",
            f"{old}.attn.to_add_out": f"{new}.context_block.attn.proj",
            f"{old}.norm1.linear": f"{new}.x_block.adaLN_modulation.1",
            f"{old}.ff.net.0.proj": f"{new}.x_block.mlp.fc1", f"{old}.ff.net.2": f"{new}.x_block.mlp.fc2",
            f"{old}.ff_context.net.0.proj": f"{new}.context_block.mlp.fc1",
            f"{old}.ff_context.net.2": f"{new}.context_block.mlp.fc2",
            f"{old}.attn.norm_q": f"{new}.x_block.attn.ln_q", f"{old}.attn.norm_k": f"{new}.x_block.attn.ln_k",
            f"{old}.attn2.norm_q": f"{new}.x_block.attn2.ln_q", f"{old}.attn2.norm_k": f"{new}.x_block.attn2.ln_k",
            f"{old}.attn.norm_added_q": f"{new}.context_block.attn.ln_q",
            f"{old}.attn.norm_added_k": f"{new}.context_block.attn.ln_k",
        }  # fmt: skip
    for end in ("weight", "bias"):
        named |= {f"{new}.{end}": state[f"{old}.{end}"] for old, new in simple.items() if f"{old}.{end}" in state}
        named[f"final_layer.adaLN_modulation.1.{end}"] = swapped(state[f"norm_out.linear.{end}"])
        for block in range(last + 1):
            old, new = f"transformer_blocks.{block}", f"joint_blocks.{block}"
            text = state[f"{old}.norm1_context.linear.{end}"]
            named[f"{new}.context_block.adaLN_modulation.1.{end}"] = swapped(text) if block == last else text
            named[f"{new}.x_block.attn.qkv.{end}"] = fused(state, [f"{old}.attn.to_{one}" for one in "qkv"], end)
            named[f"{new}.context_block.attn.qkv.{end}"] = fused(
                state, [f"{old}.attn.add_{one}_proj" for one in "qkv"], end
            )
            if f"{old}.attn2.to_q.{end}" in state:
                named[f"{new}.x_block.attn2.qkv.{end}"] = fused(state, [f"{old}.attn2.to_{one}" for one in "qkv"], end)
    return named
