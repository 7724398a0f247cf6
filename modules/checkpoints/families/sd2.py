"""Stable Diffusion 2.x: base, v-prediction, inpainting, depth, and SD 2.1 Turbo with its other names."""

from __future__ import annotations

from modules.checkpoints.blueprint import Blueprint, TextPart
from modules.checkpoints.clip_text import HEAD_WIDTH, open_clip_component, text_component
from modules.checkpoints.components import numbered
from modules.checkpoints.diffusers_unet import folder_unet
from modules.checkpoints.family import All, AnyOf, Family, FolderOf, Has, Side
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
from modules.checkpoints.latent import SD1_LATENT
from modules.checkpoints.ldm_unet import unet_component
from modules.checkpoints.sidecar import Sidecar
from modules.terms.errors import UnknownFile

TEXT = "cond_stage_model.model."
TURBO_TEXT = "conditioner.embedders.0.model."
LISTENED_LAYER = 23  # of the 24 of OpenCLIP ViT-H; some converters leave the last one out
WIDTH = 1024


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """The prediction is left open where nothing says it: only the loaded network can tell.

    Raises: UnknownFile if parts of the networks are missing, or it is an unCLIP model.
    """
    refuse_unknown_noise(header)
    unet = folder_unet(header) or unet_component(
        header, unet_heads(sidecar, lambda channels: max(1, channels // HEAD_WIDTH))
    )
    if unet.config.get("class_embed_type"):
        raise UnknownFile(
            f"{header.path.name} is an SD 2.1 unCLIP model, drawn from pictures instead of prompts: not supported. "
            "Choose another checkpoint."
        )
    said = config_of(header.metadata, "text_encoder")
    if said is not None:
        text = text_component(header, "text_encoder.", said)
        layers = LISTENED_LAYER  # converters leave the last one out
    else:
        prefix = TEXT if f"{TEXT}ln_final.weight" in header else TURBO_TEXT
        layers = numbered(header, f"{prefix}transformer.resblocks.")
        text = open_clip_component(header, prefix, sidecar.text)
    vae = vae_component(header)
    variant = variant_of(unet)
    return Blueprint(
        family=FAMILY,
        unet=unet,
        text=(TextPart(text, "clip_h", layer=1 if layers == LISTENED_LAYER else 2, skippable=False, open_clip=True),),
        vae=vae,
        latent=latent_of(header, sidecar, SD1_LATENT, vae),
        prediction=said_prediction(header, sidecar) or ("epsilon" if variant else None),
        schedule=schedule_of(sidecar),
        zero_terminal=said_zero_terminal(header, sidecar),
        variant=variant,
    )


def hears_open_clip(header: Header) -> bool:
    """Whether the text encoder of a folder is OpenCLIP's, by what tells it from CLIP at any size."""
    return (config_of(header.metadata, "text_encoder") or {}).get("hidden_act") == "gelu"


FAMILY = Family(
    name="SD 2.x",
    recognise=AnyOf(
        All(FolderOf(("StableDiffusionPipeline", "StableDiffusionInpaint"), ("text_encoder",)), hears_open_clip),
        All(
            Has("model.diffusion_model.input_blocks.0.0.weight"),
            AnyOf(
                Has(f"{TEXT}ln_final.weight"),
                # SDXL's refiner has the same keys; its encoder is wider.
                Side(f"{TURBO_TEXT}ln_final.weight", 0, WIDTH),
            ),
        ),
    ),
    draw=draw,
    latent=SD1_LATENT,
    aliases=("SD2", "sd2"),
    before=("SDXL refiner", "SD 1.x"),
    native_size=768,
)
