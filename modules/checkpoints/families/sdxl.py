"""Stable Diffusion XL: base and inpainting, and what was tuned from it (Pony, Illustrious, NoobAI, SSD-1B, Turbo …)."""

from __future__ import annotations

from dataclasses import replace

from modules.checkpoints.blueprint import Blueprint, TextPart
from modules.checkpoints.clip_parts import clip_part, clip_wanted
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
from modules.checkpoints.ldm_unet import is_unet_alone, unet_component, unet_prefix
from modules.checkpoints.sidecar import Sidecar

FIRST_TEXT = "conditioner.embedders.0.transformer."
SECOND_TEXT = "conditioner.embedders.1.model."
FACTS = 6 * 256  # what the second conditioning says of sizes, after the pooled text
SECOND_PART = "text_encoder_2."


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the networks are missing."""
    said = config_of(header.metadata, "text_encoder")
    if said is None and is_unet_alone(header):
        return alone(draw_with(FAMILY, (), header, sidecar))
    component = text_component(header, FIRST_TEXT if said is None else "text_encoder.", said or sidecar.text)
    first = TextPart(component, "clip_l", layer=2, skippable="if asked", final_norm=False)
    return draw_with(FAMILY, (first, bigger_encoder(header, SECOND_TEXT)), header, sidecar)


def alone(blueprint: Blueprint) -> Blueprint:
    """The plan of a UNet alone, which asks for both text encoders."""
    second = blueprint.vector - FACTS
    first = blueprint.context_width - second
    return replace(
        blueprint,
        wanted=(
            clip_wanted("clip_l", "the text encoder CLIP-L (clip_l)", first, draw_first, ("clip_l",)),
            clip_wanted("clip_g", "the text encoder CLIP-G (clip_g)", second, draw_second, ("clip_g",)),
        ),
    )


def draw_first(header: Header, prefix: str) -> TextPart:
    return clip_part(header, prefix, "clip_l", layer=2, final_norm=False, pooled="no")


def draw_second(header: Header, prefix: str) -> TextPart:
    return clip_part(header, prefix, "clip_g", layer=2, final_norm=False, pooled="projected")


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
        vae_hints=("sdxl", "xl_vae"),
    )


def recognise_alone(header: Header) -> bool:
    """Whether the file is the UNet alone; that of the refiner reads one encoder, whose width it has."""
    if not is_unet_alone(header):
        return False
    prefix = unet_prefix(header)
    vector = header.shape(f"{prefix}label_emb.0.0.weight")
    context = next((key for key in header if key.startswith(prefix) and key.endswith("attn2.to_k.weight")), "")
    width = header.shape(context)
    return vector is not None and width is not None and width[1] > vector[1] - FACTS > 0


FAMILY = Family(
    name="SDXL",
    recognise=AnyOf(
        FolderOf(("StableDiffusionXL",), ("text_encoder", "text_encoder_2")),
        All(
            Has("model.diffusion_model.input_blocks.0.0.weight", "model.diffusion_model.label_emb.0.0.weight"),
            Has(f"{SECOND_TEXT}ln_final.weight"),
        ),
        recognise_alone,
    ),
    draw=draw,
    latent=SDXL_LATENT,
    aliases=("sdxl", "XL"),
    native_size=1024,
)
