"""Chroma: FLUX.1 schnell with most of its modulation taken out, read by T5 alone, with a negative prompt.

Source: https://huggingface.co/lodestones/Chroma1-HD (the layout of files), diffusers' ChromaTransformer2DModel.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.checkpoints.asking import Question
from modules.checkpoints.blueprint import Blueprint, Defaults, FlowSchedule, Wanted
from modules.checkpoints.components import Component
from modules.checkpoints.families.flux import PATCH, double_block, packed, positions, single_block, unpacked
from modules.checkpoints.family import Family
from modules.checkpoints.files import Header
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import FLUX_LATENT
from modules.checkpoints.respelling import Respelling, prefix_of
from modules.checkpoints.sidecar import Sidecar
from modules.checkpoints.t5_text import is_t5, t5_component, t5_prefix
from modules.checkpoints.tokenizers import T5_WORDS, vocabulary_near
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from torch import Tensor, nn

    from modules.conditioning.whole import WholeEncoder

MARK = "distilled_guidance_layer.in_proj.weight"
ORIGINAL = "double_blocks.0.img_attn.qkv.weight"
PIXELS = "nerf_image_embedder.embedder.0.weight"  # Chroma Radiance
T5_PLACES = ("text_encoders.t5xxl.transformer.", "text_encoder.")
SCALE = "scale"


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the network are missing, or it is Chroma Radiance."""
    unet = transformer(header)
    t5 = t5_prefix(header, *T5_PLACES)
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=() if t5 is None else (ChromaText(t5_component(header, t5)),),
        vae=vae_component(header),
        latent=FLUX_LATENT.with_metadata(header.metadata),
        prediction="flow",
        schedule=FlowSchedule(shift=3.0),
        wanted=(
            Wanted(
                "t5",
                "the text encoder T5-XXL (t5xxl)",
                partial(is_t5, width=unet.config["joint_attention_dim"]),
                draw_text,
                ("t5xxl", "t5"),
            ),
        ),
        vae_hints=("ae.", "flux", "chroma"),
        ask=ask,
        patch=PATCH,
        packed=True,
        wide_range=True,
        defaults=Defaults(1024, 1024, 26, 4.0, "Euler", "Beta"),
    )


def draw_text(header: Header) -> ChromaText:
    return ChromaText(t5_component(header))


@dataclass(frozen=True)
class ChromaText:
    """T5, whose answer to the first token of filling the network was trained to see, and none to the rest of it."""

    component: Component[nn.Module]
    name: str = "t5"
    most: int = 512
    large: bool = True

    def encoder(self, model: nn.Module, identity: Hashable, near: Path) -> WholeEncoder:
        from modules.conditioning.whole import Manner, WholeEncoder

        vocabulary = vocabulary_near(near, T5_WORDS)
        fill = vocabulary.need("<pad>")

        def listen(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
            hidden: Tensor = model(input_ids=tokens, attention_mask=mask * (tokens != fill)).last_hidden_state
            return hidden

        manner = Manner(after=(vocabulary.need("</s>"), fill), fill=fill, most=self.most, marks_end=True)
        return WholeEncoder(model, vocabulary, manner, name=self.name, listen=listen, identity=identity)


def transformer(header: Header) -> Component[nn.Module]:
    """The denoising network, in the original's or in diffusers' spelling. Raises: UnknownFile if it is incomplete."""
    prefix = prefix_of(header, MARK) or ""
    names = Respelling(header, prefix)
    if names.has(PIXELS):
        raise UnknownFile(
            f"{header.path.name} is Chroma Radiance, which draws pixels and no latents: not supported. Choose Chroma1."
        )
    if names.has(ORIGINAL):
        inner, channels = names.shape("img_in.weight")
        head = names.shape(f"double_blocks.0.img_attn.norm.key_norm.{SCALE}")[0]
        layers, single = names.count("double_blocks."), names.count("single_blocks.")
        text = names.shape("txt_in.weight")[1]
        _respell(names, layers, single, inner)
    else:
        inner, channels = names.shape("x_embedder.weight")
        head = names.shape("single_transformer_blocks.0.attn.norm_k.weight")[0]
        layers, single = names.count("transformer_blocks."), names.count("single_transformer_blocks.")
        text = names.shape("context_embedder.weight")[1]
        names.as_it_is()
    hidden, told = names.shape(MARK)
    side = (head - head // 8) // 2
    config = {
        "in_channels": channels,
        "num_layers": layers,
        "num_single_layers": single,
        "attention_head_dim": head,
        "num_attention_heads": inner // head,
        "joint_attention_dim": text,
        "axes_dims_rope": (head // 8, side, side),
        "approximator_num_channels": told,
        "approximator_hidden_dim": hidden,
        "approximator_layers": names.count("distilled_guidance_layer.layers."),
    }
    return Component("UNet", build, config, names.pieces, names.modules)


def _respell(names: Respelling, layers: int, single: int, inner: int) -> None:
    names.module("txt_in", "context_embedder")
    names.module("img_in", "x_embedder")
    names.module("final_layer.linear", "proj_out")
    guide = "distilled_guidance_layer"
    for same in ("in_proj", "out_proj"):
        names.module(f"{guide}.{same}", f"{guide}.{same}")
    for number in range(names.count(f"{guide}.layers.")):
        names.module(f"{guide}.layers.{number}.in_layer", f"{guide}.layers.{number}.linear_1")
        names.module(f"{guide}.layers.{number}.out_layer", f"{guide}.layers.{number}.linear_2")
        names.tensor(f"{guide}.norms.{number}.{SCALE}", f"{guide}.norms.{number}.weight")
    for block in range(layers):
        double_block(names, f"double_blocks.{block}", f"transformer_blocks.{block}", SCALE)
    for block in range(single):
        single_block(names, f"single_blocks.{block}", f"single_transformer_blocks.{block}", inner, SCALE)


def build(config: Mapping[str, Any]) -> nn.Module:
    import torch
    from diffusers.models.transformers.transformer_chroma import (
        ChromaCombinedTimestepTextProjEmbeddings,
        ChromaTransformer2DModel,
    )

    network: Any = ChromaTransformer2DModel(**config)
    # Its table of positions is computed from the config, weights or not.
    with torch.device("cpu"):
        network.time_text_embed = ChromaCombinedTimestepTextProjEmbeddings(
            num_channels=config["approximator_num_channels"] // 4,
            out_dim=3 * config["num_single_layers"] + 2 * 6 * config["num_layers"] + 2,
        )
    built: nn.Module = network
    return built


def ask(network: nn.Module, question: Question) -> Tensor:
    """The velocity. Texts of different length are asked about one after the other, so that none is filled up."""
    import torch

    lengths = (question.cross.abs().sum(dim=-1) > 0).sum(dim=1).tolist()
    height, width = question.x.shape[-2:]
    answers: list[Tensor] = [question.x] * len(lengths)
    for length in dict.fromkeys(lengths):
        rows = [row for row, other in enumerate(lengths) if other == length]
        x = question.x[rows]
        (output,) = network(
            hidden_states=packed(x),
            encoder_hidden_states=question.cross[rows, :length],
            timestep=question.timestep[rows].to(x) / 1000,
            img_ids=positions(x, 0),
            txt_ids=x.new_zeros(length, 3),
            return_dict=False,
        )
        for row, answer in zip(rows, unpacked(output, height, width), strict=True):
            answers[row] = answer
    return torch.stack(answers)


def recognise(header: Header) -> bool:
    return prefix_of(header, MARK) is not None


FAMILY = Family(
    name="Chroma",
    recognise=recognise,
    draw=draw,
    latent=FLUX_LATENT,
    aliases=("chroma",),
    native_size=1024,
    before=("FLUX.1",),
)
