"""Stable Diffusion 2.x: base, v-prediction, inpainting, depth, and SD 2.1 Turbo with its other names."""

from __future__ import annotations

from modules.checkpoints.blueprint import Blueprint, TextPart
from modules.checkpoints.clip_text import HEAD_WIDTH, open_clip_component
from modules.checkpoints.components import numbered
from modules.checkpoints.family import All, AnyOf, Family, Has, Side
from modules.checkpoints.files import Header
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
    unet = unet_component(header, unet_heads(sidecar, lambda channels: max(1, channels // HEAD_WIDTH)))
    if unet.config["class_embed_type"]:
        raise UnknownFile(
            f"{header.path.name} is an SD 2.1 unCLIP model, drawn from pictures instead of prompts: not supported. "
            "Choose another checkpoint."
        )
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


FAMILY = Family(
    name="SD 2.x",
    recognise=All(
        Has("model.diffusion_model.input_blocks.0.0.weight"),
        AnyOf(
            Has(f"{TEXT}ln_final.weight"),
            # SDXL's refiner has the same keys; its encoder is wider.
            Side(f"{TURBO_TEXT}ln_final.weight", 0, WIDTH),
        ),
    ),
    draw=draw,
    latent=SD1_LATENT,
    aliases=("SD2", "sd2"),
    before=("SDXL refiner",),
    native_size=768,
)
