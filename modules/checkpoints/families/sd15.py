"""Stable Diffusion 1.x and every network of its layout, whatever its size: inpainting (9 input channels) and
InstructPix2Pix (8) included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modules.checkpoints.blueprint import Blueprint, TextPart
from modules.checkpoints.clip_parts import clip_wanted
from modules.checkpoints.clip_text import text_component
from modules.checkpoints.diffusers_unet import folder_unet
from modules.checkpoints.family import All, AnyOf, Family, FolderOf, Has
from modules.checkpoints.files import Header
from modules.checkpoints.folder import config_of
from modules.checkpoints.hints import (
    latent_of,
    said_prediction,
    said_zero_terminal,
    schedule_of,
    unet_heads,
    variant_of,
)
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import SD1_LATENT
from modules.checkpoints.ldm_unet import is_unet_alone, unet_component, unet_prefix
from modules.checkpoints.sidecar import Sidecar

TEXT = "cond_stage_model.transformer."
SD2_WIDTH = 1024
HEADS = 8  # at every width; the original configs say num_heads: 8


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the networks are missing."""
    unet = folder_unet(header) or unet_component(header, unet_heads(sidecar, lambda channels: HEADS))
    said = config_of(header.metadata, "text_encoder")
    alone = said is None and is_unet_alone(header)
    text = () if alone else (draw_text(header, TEXT if said is None else "text_encoder.", said or sidecar.text),)
    vae = vae_component(header)
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=text,
        vae=vae,
        latent=latent_of(header, sidecar, SD1_LATENT, vae),
        prediction=said_prediction(header, sidecar) or "epsilon",
        schedule=schedule_of(sidecar),
        zero_terminal=said_zero_terminal(header, sidecar),
        variant=variant_of(unet),
        wanted=(
            clip_wanted(
                "clip_l", "the text encoder CLIP-L (clip_l)", unet.config["cross_attention_dim"], draw_text, ("clip_l",)
            ),
        )
        if alone
        else (),
        vae_hints=("sd15", "sd1.5", "vae-ft", "kl-f8"),
    )


def draw_text(header: Header, prefix: str, said: Mapping[str, Any] | None = None) -> TextPart:
    """The text encoder under `prefix`. said: what a config says of it that tensors do not show."""
    component = text_component(header, prefix, said or {})
    pieces = {key: piece for key, piece in component.pieces.items() if key != "text_projection.weight"}
    return TextPart(replace(component, pieces=pieces), "clip_l")


def recognise_alone(header: Header) -> bool:
    """Whether the file is the UNet alone: SDXL's has a second conditioning, SD 2's reads wider texts."""
    if not is_unet_alone(header):
        return False
    prefix = unet_prefix(header)
    context = next((key for key in header if key.startswith(prefix) and key.endswith("attn2.to_k.weight")), None)
    return f"{prefix}label_emb.0.0.weight" not in header and (header.shape(context or "") or (0, 0))[1] != SD2_WIDTH


FAMILY = Family(
    name="SD 1.x",
    recognise=AnyOf(
        FolderOf(("StableDiffusionPipeline", "StableDiffusionInpaint", "StableDiffusionInstruct"), ("text_encoder",)),
        All(
            Has("model.diffusion_model.input_blocks.0.0.weight"),
            AnyOf(
                Has(f"{TEXT}text_model.embeddings.token_embedding.weight"),
                # Files written before transformers 4.31 lack "text_model."
                Has(f"{TEXT}embeddings.token_embedding.weight"),
            ),
        ),
        recognise_alone,
    ),
    draw=draw,
    latent=SD1_LATENT,
    aliases=("SD1", "sd15"),
)
