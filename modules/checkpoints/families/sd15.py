"""Stable Diffusion 1.x and every network of its layout, whatever its size: inpainting (9 input channels) and
InstructPix2Pix (8) included."""

from __future__ import annotations

from modules.checkpoints.blueprint import Blueprint, TextPart
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
from modules.checkpoints.ldm_unet import unet_component
from modules.checkpoints.sidecar import Sidecar

TEXT = "cond_stage_model.transformer."
HEADS = 8  # at every width; the original configs say num_heads: 8


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the networks are missing."""
    unet = folder_unet(header) or unet_component(header, unet_heads(sidecar, lambda channels: HEADS))
    said = config_of(header.metadata, "text_encoder")
    text = text_component(header, TEXT if said is None else "text_encoder.", said or sidecar.text)
    vae = vae_component(header)
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=(TextPart(text, "clip_l"),),
        vae=vae,
        latent=latent_of(header, sidecar, SD1_LATENT, vae),
        prediction=said_prediction(header, sidecar) or "epsilon",
        schedule=schedule_of(sidecar),
        zero_terminal=said_zero_terminal(header, sidecar),
        variant=variant_of(unet),
    )


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
    ),
    draw=draw,
    latent=SD1_LATENT,
    aliases=("SD1", "sd15"),
)
