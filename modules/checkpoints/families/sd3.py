"""Stable Diffusion 3 and 3.5: medium, large, large turbo; what they are is read off their tensors.

Source: Stability AI's sd3.5 (the layout of files), diffusers' SD3Transformer2DModel.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import isqrt
from typing import TYPE_CHECKING, Any

from modules.checkpoints.asking import Question
from modules.checkpoints.blueprint import Blueprint, Defaults, FlowSchedule, TextPart, TextPlan, Wanted
from modules.checkpoints.clip_parts import clip_part, clip_prefix, clip_wanted
from modules.checkpoints.components import Component
from modules.checkpoints.family import AnyOf, Family
from modules.checkpoints.files import Header
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import SD3_LATENT
from modules.checkpoints.respelling import Respelling, prefix_of
from modules.checkpoints.sidecar import Sidecar
from modules.checkpoints.t5_text import T5Part, is_t5, t5_component, t5_prefix
from modules.conditioning.joining import Heard, Joined
from modules.terms.errors import BadRequest

if TYPE_CHECKING:
    from torch import Tensor, nn

ORIGINAL = "joint_blocks.0.context_block.attn.qkv.weight"
DIFFUSERS = "pos_embed.pos_embed"
PREFIXES = ("model.diffusion_model.", "", "transformer.")
PLACES = {
    "clip_l": ("text_encoders.clip_l.transformer.", "text_encoder."),
    "clip_g": ("text_encoders.clip_g.transformer.", "text_encoder_2."),
}
T5_PLACES = ("text_encoders.t5xxl.transformer.", "text_encoder_3.")
CLIP_WIDTHS = {"clip_l": 768, "clip_g": 1280}
CHUNK = 77  # T5 reads as many tokens as the CLIPs do
HEAD_WIDTH = 64

MEDIUM = Defaults(1024, 1024, 28, 4.5, "Euler", "SGM Uniform")
TURBO = Defaults(1024, 1024, 4, 1.0, "Euler", "SGM Uniform")


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the network are missing."""
    unet = transformer(header)
    config = unet.config
    parts: list[TextPlan] = []
    for name, places in PLACES.items():
        prefix = clip_prefix(header, *places)
        if prefix is not None:
            parts.append(draw_clip(header, prefix, name=name))
    t5 = t5_prefix(header, *T5_PLACES)
    if t5 is not None:
        parts.append(draw_t5(header, t5))
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=tuple(parts),
        vae=vae_component(header),
        latent=SD3_LATENT.with_metadata(header.metadata),
        prediction="flow",
        schedule=FlowSchedule(shift=3.0),
        wanted=wanted(config),
        vae_hints=("sd3",),
        ask=ask,
        join=partial(join, width=config["joint_attention_dim"]),
        patch=int(config["patch_size"]),
        one_prompt=True,
        defaults=TURBO if "turbo" in header.path.name.lower() else MEDIUM,
    )


def wanted(config: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The encoders that may lie in files of their own. T5 may be left out: zeros stand for what it would say."""
    pooled = config["pooled_projection_dim"]
    # Both pooled vectors together are what the network takes; that tells toys from what is published.
    widths = {name: width * pooled // sum(CLIP_WIDTHS.values()) for name, width in CLIP_WIDTHS.items()}
    clips = (
        clip_wanted(name, f"the text encoder {name}", widths[name], partial(draw_clip, name=name), (name,))
        for name in PLACES
    )
    t5 = Wanted(
        "t5",
        "the text encoder T5-XXL",
        partial(is_t5, width=config["joint_attention_dim"]),
        partial(draw_t5, prefix=""),
        ("t5xxl", "t5"),
        needed=False,
        without="The text encoder T5-XXL was not found in models/text_encoder: long prompts and writing suffer.",
    )
    return (*clips, t5)


def draw_clip(header: Header, prefix: str, name: str) -> TextPart:
    return clip_part(header, prefix, name, layer=2, final_norm=False, pooled="projected")


def draw_t5(header: Header, prefix: str) -> T5Part:
    return T5Part(t5_component(header, prefix), least=CHUNK, step=CHUNK, most=4 * CHUNK)


def transformer(header: Header) -> Component[nn.Module]:
    """The denoising network, in the original's or in diffusers' spelling. Raises: UnknownFile if it is incomplete."""
    prefix = prefix_of(header, ORIGINAL, PREFIXES)
    if prefix is None:
        return _diffusers(Respelling(header, prefix_of(header, DIFFUSERS, PREFIXES) or ""))
    names = Respelling(header, prefix)
    layers = names.count("joint_blocks.")
    normed = names.has("joint_blocks.0.x_block.attn.ln_q.weight")
    config = _config(
        embedding=names.shape("x_embedder.proj.weight"),
        places=names.shape("pos_embed")[1],
        layers=layers,
        # The original has as many heads as layers.
        head=names.shape("joint_blocks.0.x_block.attn.ln_q.weight")[0] if normed else 0,
        context=names.shape("context_embedder.weight"),
        pooled=names.shape("y_embedder.mlp.0.weight")[1],
        out=names.shape("final_layer.linear.weight")[0],
        dual=[block for block in range(layers) if names.has(f"joint_blocks.{block}.x_block.attn2.qkv.weight")],
        normed=normed,
    )
    names.tensor("pos_embed", "pos_embed.pos_embed")
    names.module("x_embedder.proj", "pos_embed.proj")
    for old, new in (("t_embedder", "timestep"), ("y_embedder", "text")):
        names.module(f"{old}.mlp.0", f"time_text_embed.{new}_embedder.linear_1")
        names.module(f"{old}.mlp.2", f"time_text_embed.{new}_embedder.linear_2")
    names.module("context_embedder", "context_embedder")
    names.module("final_layer.linear", "proj_out")
    names.swapped("final_layer.adaLN_modulation.1", "norm_out.linear")
    for block in range(layers):
        _block(names, f"joint_blocks.{block}", f"transformer_blocks.{block}", last=block == layers - 1)
    return Component("UNet", build, config, names.pieces, names.modules)


def _block(names: Respelling, old: str, new: str, *, last: bool) -> None:
    x, text = f"{old}.x_block", f"{old}.context_block"
    names.cut(f"{x}.attn.qkv", [f"{new}.attn.to_{one}" for one in "qkv"])
    names.cut(f"{x}.attn2.qkv", [f"{new}.attn2.to_{one}" for one in "qkv"])
    names.cut(f"{text}.attn.qkv", [f"{new}.attn.add_{one}_proj" for one in "qkv"])
    for one in "qk":
        names.module(f"{x}.attn.ln_{one}", f"{new}.attn.norm_{one}")
        names.module(f"{x}.attn2.ln_{one}", f"{new}.attn2.norm_{one}")
        names.module(f"{text}.attn.ln_{one}", f"{new}.attn.norm_added_{one}")
    names.module(f"{x}.attn.proj", f"{new}.attn.to_out.0")
    names.module(f"{x}.attn2.proj", f"{new}.attn2.to_out.0")
    names.module(f"{x}.adaLN_modulation.1", f"{new}.norm1.linear")
    names.module(f"{x}.mlp.fc1", f"{new}.ff.net.0.proj")
    names.module(f"{x}.mlp.fc2", f"{new}.ff.net.2")
    if last:
        # The text goes no further: of its half only what attention reads is left.
        names.swapped(f"{text}.adaLN_modulation.1", f"{new}.norm1_context.linear")
        return
    names.module(f"{text}.attn.proj", f"{new}.attn.to_add_out")
    names.module(f"{text}.adaLN_modulation.1", f"{new}.norm1_context.linear")
    names.module(f"{text}.mlp.fc1", f"{new}.ff_context.net.0.proj")
    names.module(f"{text}.mlp.fc2", f"{new}.ff_context.net.2")


def _diffusers(names: Respelling) -> Component[nn.Module]:
    layers = names.count("transformer_blocks.")
    normed = names.has("transformer_blocks.0.attn.norm_q.weight")
    config = _config(
        embedding=names.shape("pos_embed.proj.weight"),
        places=names.shape("pos_embed.pos_embed")[1],
        layers=layers,
        head=names.shape("transformer_blocks.0.attn.norm_q.weight")[0] if normed else 0,
        context=names.shape("context_embedder.weight"),
        pooled=names.shape("time_text_embed.text_embedder.linear_1.weight")[1],
        out=names.shape("proj_out.weight")[0],
        dual=[block for block in range(layers) if names.has(f"transformer_blocks.{block}.attn2.to_q.weight")],
        normed=normed,
    )
    names.as_it_is()
    return Component("UNet", build, config, names.pieces, names.modules)


def _config(
    *,
    embedding: tuple[int, ...],
    places: int,
    layers: int,
    head: int,
    context: tuple[int, ...],
    pooled: int,
    out: int,
    dual: list[int],
    normed: bool,
) -> dict[str, Any]:
    """Arguments of diffusers' SD3Transformer2DModel."""
    inner, channels, patch = embedding[:3]
    head = head or inner // layers
    return {
        "sample_size": 128,
        "patch_size": patch,
        "in_channels": channels,
        "out_channels": out // patch**2,
        "num_layers": layers,
        "attention_head_dim": head,
        "num_attention_heads": inner // head,
        "joint_attention_dim": context[1],
        "caption_projection_dim": context[0],
        "pooled_projection_dim": pooled,
        "pos_embed_max_size": isqrt(places),
        "dual_attention_layers": tuple(dual),
        "qk_norm": "rms_norm" if normed else None,
    }


def build(config: Mapping[str, Any]) -> nn.Module:
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

    network: nn.Module = SD3Transformer2DModel(**config)
    return network


def ask(network: nn.Module, question: Question) -> Tensor:
    """The velocity. Raises: BadRequest for pictures larger than the network has places for."""
    config: Any = network.config
    most = config.pos_embed_max_size * config.patch_size
    if max(question.x.shape[-2:]) > most:
        raise BadRequest(f"This model draws pictures of at most {most * 8} pixels a side. Make the picture smaller.")
    output: Tensor = network(
        hidden_states=question.x,
        encoder_hidden_states=question.cross,
        pooled_projections=question.vector,
        timestep=question.timestep,
        return_dict=False,
    )[0]
    return output


def join(answers: Mapping[str, Heard], width: int) -> Joined:
    """Both CLIPs token by token, filled up with zeros to `width`, then T5's tokens, or zeros for as many."""
    import torch
    from torch.nn.functional import pad

    first, second = answers["clip_l"], answers["clip_g"]
    clips = torch.cat([first.z, second.z], dim=-1)
    clips = pad(clips, (0, width - clips.shape[-1]))
    long = answers["t5"].z if "t5" in answers else torch.zeros_like(clips)
    pooled = [heard.pooled for heard in (first, second) if heard.pooled is not None]
    return Joined(torch.cat([clips, long], dim=1), torch.cat(pooled, dim=-1))


def recognise_original(header: Header) -> bool:
    prefix = prefix_of(header, ORIGINAL, PREFIXES)
    return prefix is not None and f"{prefix}x_embedder.proj.weight" in header and f"{prefix}pos_embed" in header


def recognise_diffusers(header: Header) -> bool:
    prefix = prefix_of(header, DIFFUSERS, PREFIXES)
    return prefix is not None and f"{prefix}transformer_blocks.0.attn.add_q_proj.weight" in header


FAMILY = Family(
    name="SD 3",
    recognise=AnyOf(recognise_original, recognise_diffusers),
    draw=draw,
    latent=SD3_LATENT,
    aliases=("SD3", "sd3"),
    native_size=1024,
)
