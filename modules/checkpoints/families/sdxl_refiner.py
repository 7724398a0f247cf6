"""SDXL's refiner, which takes over for the last steps: one text encoder, and an aesthetic score in place of a target
size."""

from __future__ import annotations

from dataclasses import replace

from modules.checkpoints.blueprint import Blueprint
from modules.checkpoints.families.sdxl import bigger_encoder, draw_with
from modules.checkpoints.family import All, AnyOf, Family, FolderOf, Has
from modules.checkpoints.files import Header
from modules.checkpoints.latent import SDXL_LATENT
from modules.checkpoints.sidecar import Sidecar

TEXT = "conditioner.embedders.0.model."


def draw(header: Header, sidecar: Sidecar) -> Blueprint:
    """Raises: UnknownFile if parts of the networks are missing."""
    return replace(draw_with(FAMILY, (bigger_encoder(header, TEXT),), header, sidecar), variant="refiner")


FAMILY = Family(
    name="SDXL refiner",
    recognise=AnyOf(
        FolderOf(("StableDiffusionXL",), ("text_encoder_2",), without=("text_encoder",)),
        All(
            Has("model.diffusion_model.input_blocks.0.0.weight", "model.diffusion_model.label_emb.0.0.weight"),
            Has(f"{TEXT}ln_final.weight"),
        ),
    ),
    draw=draw,
    latent=SDXL_LATENT,
    aliases=("refiner",),
    native_size=1024,
)
