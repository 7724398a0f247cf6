"""Stable Diffusion XL: base and inpainting, and what was tuned from it (Pony, Illustrious, NoobAI, SSD-1B, Turbo …)."""

from __future__ import annotations

from dataclasses import replace

from modules.checkpoints.blueprint import Blueprint, TextPart
from modules.checkpoints.clip_text import HEAD_WIDTH, open_clip_component, text_component
from modules.checkpoints.diffusers_unet import folder_unet
from modules.checkpoints.family import All, AnyOf, Family, FolderOf, Has
from modules.checkpoints.files import Header
from modules.checkpoints.folder import config_of
from modules.checkpoints.hints import (
    latent_of,
    refuse_unknown_noise,
    said_prediction,
    said_zero_terminal,
    schedule_of,
    unet_heads,
    variant_of,
)
from modules.checkpoints.kl_vae import vae_component
from modules.checkpoints.latent import SDXL_LATENT
from modules.checkpoints.ldm_unet import unet_component
from modules.checkpoints.sidecar import Sidecar

FIRST_TEXT = "conditioner.embedders.0.transformer."
SECOND_TEXT = "conditioner.embedders.1.model."
SECOND_PART = "text_encoder_2."


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the networks are missing."""
    said = config_of(header.metadata, "text_encoder")
    component = text_component(header, FIRST_TEXT if said is None else "text_encoder.", said or sidecar.text)
    first = TextPart(component, "clip_l", layer=2, skippable="if asked", final_norm=False)
    return draw_with(FAMILY, (first, bigger_encoder(header, SECOND_TEXT)), header, sidecar)


def bigger_encoder(header: Header, prefix: str) -> TextPart:
    """OpenCLIP's ViT-bigG: its last layer but one is listened to, without the norm, and the projected pool."""
    said = config_of(header.metadata, "text_encoder_2")
    component = open_clip_component(header, prefix, {}) if said is None else text_component(header, SECOND_PART, said)
    projected = replace(component, config={**component.config, "with_projection": True})
    return TextPart(projected, "clip_g", layer=2, skippable=False, final_norm=False, pooled="projected", open_clip=True)


def draw_with(family: Family, text: tuple[TextPart, ...], header: Header, sidecar: Sidecar) -> Blueprint:
    """The plan of an SDXL file with these encoders. Raises: UnknownFile if parts of the networks are missing."""
    refuse_unknown_noise(header)
    unet = folder_unet(header) or unet_component(
        header, unet_heads(sidecar, lambda channels: max(1, channels // HEAD_WIDTH))
    )
    vae = vae_component(header)
    return Blueprint(
        family=family,
        unet=unet,
        text=text,
        vae=vae,
        latent=latent_of(header, sidecar, SDXL_LATENT, vae),
        prediction=said_prediction(header, sidecar) or "epsilon",
        schedule=schedule_of(sidecar),
        zero_terminal=said_zero_terminal(header, sidecar),
        variant=variant_of(unet),
        zero_empty_negative=True,
    )


FAMILY = Family(
    name="SDXL",
    recognise=AnyOf(
        FolderOf(("StableDiffusionXL",), ("text_encoder", "text_encoder_2")),
        All(
            Has("model.diffusion_model.input_blocks.0.0.weight", "model.diffusion_model.label_emb.0.0.weight"),
            Has(f"{SECOND_TEXT}ln_final.weight"),
        ),
    ),
    draw=draw,
    latent=SDXL_LATENT,
    aliases=("sdxl", "XL"),
    native_size=1024,
)
