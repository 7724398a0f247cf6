"""Qwen-Image and Qwen-Image Edit: two streams of picture and text, read by Qwen 2.5 VL.

Source: https://github.com/QwenLM/Qwen-Image, diffusers' QwenImageTransformer2DModel, whose names all files have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.checkpoints.asking import Question
from modules.checkpoints.blueprint import Blueprint, Defaults, FlowSchedule
from modules.checkpoints.components import Component
from modules.checkpoints.families.flux import PATCH, packed, unpacked
from modules.checkpoints.family import Family
from modules.checkpoints.files import Header
from modules.checkpoints.hints import said_variant
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import QWEN_LATENT
from modules.checkpoints.llm_text import QWEN2, LanguagePart, language_component, language_prefix, language_wanted
from modules.checkpoints.respelling import Respelling, prefix_of
from modules.checkpoints.sidecar import Sidecar
from modules.checkpoints.tokenizers import QWEN_WORDS
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from torch import Tensor, nn

MARK, TEXT_NORM = "transformer_blocks.0.img_mod.1.weight", "txt_norm.weight"
LAYERED = "time_text_embed.addition_t_embedding.weight"
TEXT_PLACES = ("text_encoders.qwen25_7b.transformer.", "text_encoder.")
BEFORE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n"
)
AFTER = "<|im_end|>\n<|im_start|>assistant\n"
# log shift by number of tokens. Source: the scheduler's config of Qwen/Qwen-Image.
BY_TOKENS = ((256, 0.5), (8192, 0.9))
EDIT_NOTE = "Qwen-Image Edit sees the picture itself here, and the prompt without it: name in the prompt what is in it."


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the network are missing, or it draws in layers."""
    unet = transformer(header)
    place = language_prefix(header, QWEN2, *TEXT_PLACES)
    variant = said_variant(header, sidecar, {"edit": "reference"})
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=() if place is None else (draw_text(header, place),),
        vae=vae_component(header),
        latent=QWEN_LATENT.with_metadata(header.metadata),
        prediction="flow",
        schedule=FlowSchedule(by_tokens=BY_TOKENS),
        variant=variant,
        wanted=(
            language_wanted(
                QWEN2, "qwen", "the text encoder Qwen 2.5 VL 7B (qwen_2.5_vl_7b)", unet.config["joint_attention_dim"],
                draw_text, ("qwen_2.5", "qwen2.5"),
            ),
        ),
        vae_hints=("qwen",),
        ask=ask,
        patch=PATCH,
        packed=True,
        one_prompt=True,
        wide_range=True,
        defaults=Defaults(1328, 1328, 20, 4.0, "Euler", "Simple"),
        notes=(EDIT_NOTE,) if variant == "reference" else (),
    )  # fmt: skip


def draw_text(header: Header, prefix: str) -> LanguagePart:
    component = language_component(header, prefix, QWEN2)
    return LanguagePart(component, "qwen", QWEN_WORDS, before=BEFORE, after=AFTER, leaves=True, most=1024)


def transformer(header: Header) -> Component[nn.Module]:
    """The denoising network. Raises: UnknownFile if it is incomplete, or draws in layers."""
    names = Respelling(header, prefix_of(header, MARK) or "")
    if names.has(LAYERED):
        raise UnknownFile(
            f"{header.path.name} is Qwen-Image Layered, which draws a picture in layers: not supported. "
            "Choose Qwen-Image."
        )
    names.as_it_is()
    inner, channels = names.shape("img_in.weight")
    head = names.shape("transformer_blocks.0.attn.norm_q.weight")[0]
    side = (head - head // 8) // 2
    config = {
        "in_channels": channels,
        "out_channels": names.shape("proj_out.weight")[0] // PATCH**2,
        "num_layers": names.count("transformer_blocks."),
        "attention_head_dim": head,
        "num_attention_heads": inner // head,
        "joint_attention_dim": names.shape("txt_in.weight")[1],
        "axes_dims_rope": (head // 8, side, side),
    }
    return Component("UNet", build, config, names.pieces, names.modules)


def build(config: Mapping[str, Any]) -> nn.Module:
    import torch
    from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel

    network: Any = QwenImageTransformer2DModel(**config)
    # Its tables of positions are no buffers: they have to be made where they are needed, weights or not.
    with torch.device("cpu"):
        old = network.pos_embed
        network.pos_embed = type(old)(theta=old.theta, axes_dim=old.axes_dim, scale_rope=old.scale_rope)
    built: nn.Module = network
    return built


def ask(network: nn.Module, question: Question) -> Tensor:
    """The velocity. Another picture's tokens come after x's."""
    import torch

    x, extra = question.x, question.extra
    height, width = x.shape[-2:]
    tokens = packed(x)
    count, shapes = tokens.shape[1], [(1, height // PATCH, width // PATCH)]
    if extra is not None:
        tokens = torch.cat([tokens, packed(extra)], dim=1)
        shapes.append((1, extra.shape[-2] // PATCH, extra.shape[-1] // PATCH))
    heard = question.cross.abs().sum(dim=-1) > 0
    longest = int(heard.sum(dim=1).max())
    output: Tensor = network(
        hidden_states=tokens,
        timestep=question.timestep.to(x) / 1000,
        encoder_hidden_states=question.cross[:, :longest],
        encoder_hidden_states_mask=heard[:, :longest],
        img_shapes=[shapes] * len(x),
        return_dict=False,
    )[0]
    return unpacked(output[:, :count], height, width)


def recognise(header: Header) -> bool:
    prefix = prefix_of(header, MARK)
    return prefix is not None and f"{prefix}{TEXT_NORM}" in header


FAMILY = Family(
    name="Qwen-Image",
    recognise=recognise,
    draw=draw,
    latent=QWEN_LATENT,
    aliases=("qwen", "qwen-image"),
    native_size=1024,
)
