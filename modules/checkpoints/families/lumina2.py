"""Lumina-Image 2.0 and what was trained from it (NetaYume …): one stream of picture and text, read by Gemma 2.

Source: https://github.com/Alpha-VLLM/Lumina-Image-2.0 (the layout of files), diffusers' Lumina2Transformer2DModel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.checkpoints.asking import Question
from modules.checkpoints.blueprint import Blueprint, Defaults, FlowSchedule
from modules.checkpoints.components import Component
from modules.checkpoints.family import Family
from modules.checkpoints.files import Header
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import FLUX_LATENT
from modules.checkpoints.llm_text import GEMMA2, LanguagePart, language_component, language_prefix, language_wanted
from modules.checkpoints.respelling import Respelling, prefix_of
from modules.checkpoints.sidecar import Sidecar
from modules.checkpoints.tokenizers import GEMMA_WORDS

if TYPE_CHECKING:
    from torch import Tensor, nn

ORIGINAL, CAPTION = "layers.0.attention.qkv.weight", "cap_embedder.1.weight"
DIFFUSERS = "time_caption_embed.caption_embedder.1.weight"
NOT_OURS = "x_pad_token"  # Z-Image, of the same layout
TEXT_PLACES = ("text_encoders.gemma2_2b.transformer.", "text_encoder.")
PATCH = 2
# What the network was trained to find before the prompt.
BEFORE = (
    "You are an assistant designed to generate superior images with the superior degree of image-text alignment based "
    "on textual prompts or user prompts. <Prompt Start>"
)


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the network are missing."""
    unet = transformer(header)
    place = language_prefix(header, GEMMA2, *TEXT_PLACES)
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=() if place is None else (draw_text(header, place),),
        vae=vae_component(header),
        latent=FLUX_LATENT.with_metadata(header.metadata),
        prediction="flow",
        schedule=FlowSchedule(shift=6.0),
        wanted=(
            language_wanted(
                GEMMA2, "gemma", "the text encoder Gemma 2 2B (gemma_2_2b)", unet.config["joint_attention_dim"],
                draw_text, ("gemma_2", "gemma2", "gemma"),
            ),
        ),
        vae_hints=("ae.", "flux", "lumina"),
        ask=ask,
        patch=PATCH,
        wide_range=True,
        defaults=Defaults(1024, 1024, 30, 4.0, "Euler", "Simple"),
    )  # fmt: skip


def draw_text(header: Header, prefix: str) -> LanguagePart:
    component = language_component(header, prefix, GEMMA2)
    return LanguagePart(
        component,
        "gemma",
        GEMMA_WORDS,
        before=BEFORE,
        starts=("<bos>",),
        hidden=(1,),
        most=256,
        spaced=True,
        fill=("<pad>",),
    )


def transformer(header: Header) -> Component[nn.Module]:
    """The denoising network, in the original's or in diffusers' spelling. Raises: UnknownFile if it is incomplete."""
    prefix = prefix_of(header, DIFFUSERS)
    original = prefix is None
    names = Respelling(header, (prefix_of(header, CAPTION) if original else prefix) or "")
    if original:
        inner, text = names.shape(CAPTION)
        head = names.shape("layers.0.attention.q_norm.weight")[0]
        keys = (names.shape(ORIGINAL)[0] - inner) // 2
        hidden = names.shape("layers.0.feed_forward.w1.weight")[0]
        _respell(names, inner, keys)
    else:
        inner, text = names.shape(DIFFUSERS)
        head = names.shape("layers.0.attn.norm_q.weight")[0]
        keys = names.shape("layers.0.attn.to_k.weight")[0]
        hidden = names.shape("layers.0.feed_forward.linear_1.weight")[0]
        names.as_it_is()
    config = {
        "in_channels": names.shape("x_embedder.weight")[1] // PATCH**2,
        "hidden_size": inner,
        "num_layers": names.count("layers."),
        "num_refiner_layers": names.count("noise_refiner."),
        "num_attention_heads": inner // head,
        "num_kv_heads": keys // head,
        # diffusers rounds 4 * inner * multiplier down.
        "multiple_of": 1,
        "ffn_dim_multiplier": (hidden + 0.5) / (4 * inner),
        "axes_dim_rope": (head // 3,) * 3,
        "cap_feat_dim": text,
        "joint_attention_dim": text,
    }
    return Component("UNet", build, config, names.pieces, names.modules)


def _respell(names: Respelling, inner: int, keys: int) -> None:
    names.module("x_embedder", "x_embedder")
    for place in (0, 1):
        names.module(f"cap_embedder.{place}", f"time_caption_embed.caption_embedder.{place}")
    for old, new in ((0, 1), (2, 2)):
        names.module(f"t_embedder.mlp.{old}", f"time_caption_embed.timestep_embedder.linear_{new}")
    names.module("final_layer.adaLN_modulation.1", "norm_out.linear_1")
    names.module("final_layer.linear", "norm_out.linear_2")
    for blocks, modulated in (("layers", True), ("noise_refiner", True), ("context_refiner", False)):
        for number in range(names.count(f"{blocks}.")):
            block = f"{blocks}.{number}"
            parts = [f"{block}.attn.to_{one}" for one in "qkv"]
            names.cut(f"{block}.attention.qkv", parts, (inner, keys, keys))
            names.module(f"{block}.attention.out", f"{block}.attn.to_out.0")
            for one in "qk":
                names.module(f"{block}.attention.{one}_norm", f"{block}.attn.norm_{one}")
            names.module(f"{block}.attention_norm1", f"{block}.norm1.norm" if modulated else f"{block}.norm1")
            names.module(f"{block}.attention_norm2", f"{block}.norm2")
            names.module(f"{block}.adaLN_modulation.1", f"{block}.norm1.linear")
            for place in (1, 2):
                names.module(f"{block}.ffn_norm{place}", f"{block}.ffn_norm{place}")
            for place in (1, 2, 3):
                names.module(f"{block}.feed_forward.w{place}", f"{block}.feed_forward.linear_{place}")


def build(config: Mapping[str, Any]) -> nn.Module:
    import torch
    from diffusers.models.transformers.transformer_lumina2 import Lumina2Transformer2DModel

    network: Any = Lumina2Transformer2DModel(**{k: v for k, v in config.items() if k != "joint_attention_dim"})
    # Its tables of positions are no buffers: they have to be made where they are needed, weights or not.
    with torch.device("cpu"):
        old = network.rope_embedder
        network.rope_embedder = type(old)(old.theta, old.axes_dim, old.axes_lens, old.patch_size)
    built: nn.Module = network
    return built


def ask(network: nn.Module, question: Question) -> Tensor:
    """The velocity. The network counts time from noise to picture and answers with the opposite direction."""
    velocity: Tensor = network(
        hidden_states=question.x,
        timestep=1 - question.timestep.to(question.x) / 1000,
        encoder_hidden_states=question.cross,
        encoder_attention_mask=question.cross.abs().sum(dim=-1) > 0,
        return_dict=False,
    )[0]
    return -velocity


def recognise(header: Header) -> bool:
    prefix = prefix_of(header, CAPTION)
    if prefix is not None and f"{prefix}{ORIGINAL}" in header:
        return f"{prefix}{NOT_OURS}" not in header
    return prefix_of(header, DIFFUSERS) is not None


FAMILY = Family(
    name="Lumina 2",
    recognise=recognise,
    draw=draw,
    latent=FLUX_LATENT,
    aliases=("lumina2", "Lumina-Image 2.0"),
    native_size=1024,
)
