"""The UNet of a diffusers folder: its dimensions stand in its config, its names are diffusers' already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.checkpoints.components import Component, Piece
from modules.checkpoints.files import Header
from modules.checkpoints.folder import config_of
from modules.checkpoints.ldm_unet import OUTER, RESIDUAL, build_unet
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

PREFIX = "unet."
SIZE_EMBEDDING = "add_embedding."  # of SDXL, which here gets its second conditioning as a ready vector


def folder_unet(header: Header) -> Component[UNet2DConditionModel] | None:
    """The UNet of a folder; None if the model is none. Raises: UnknownFile if it has parts that are not supported."""
    config = config_of(header.metadata, "unet")
    if config is None:
        return None
    if config.get("addition_embed_type") == "text_time":
        config |= {"addition_embed_type": None, "class_embed_type": "projection"}
    elif config.get("addition_embed_type") or config.get("encoder_hid_dim_type") or config.get("class_embed_type"):
        raise UnknownFile(f"{header.path.name} has a UNet of a kind that is not supported. Choose another checkpoint.")
    pieces = {
        key[len(PREFIX) :].replace(SIZE_EMBEDDING, "class_embedding."): Piece(key)
        for key in header
        if key.startswith(PREFIX)
    }
    return Component("UNet", build_unet, config, pieces, original_names(config))


def original_names(config: Mapping[str, Any]) -> dict[str, str]:
    """Original module name -> diffusers' name, by which LoRAs for SDXL are written."""
    levels = len(config["block_out_channels"])
    per_level = config["layers_per_block"]
    layers = [per_level] * levels if isinstance(per_level, int) else list(per_level)
    names = dict(OUTER)
    number = 1
    for level, kind in enumerate(config["down_block_types"]):
        for place in range(layers[level]):
            names |= _block(f"input_blocks.{number}", f"down_blocks.{level}", place, "CrossAttn" in kind)
            number += 1
        if level < levels - 1:
            names[f"input_blocks.{number}.0.op"] = f"down_blocks.{level}.downsamplers.0.conv"
            number += 1
    names |= _residual("middle_block.0", "mid_block.resnets.0") | _residual("middle_block.2", "mid_block.resnets.1")
    names["middle_block.1"] = "mid_block.attentions.0"
    number = 0
    for level, kind in enumerate(config["up_block_types"]):
        attended = "CrossAttn" in kind
        for place in range(layers[levels - 1 - level] + 1):
            names |= _block(f"output_blocks.{number}", f"up_blocks.{level}", place, attended)
            number += 1
        if level < levels - 1:
            resampler = f"output_blocks.{number - 1}.{2 if attended else 1}.conv"
            names[resampler] = f"up_blocks.{level}.upsamplers.0.conv"
    return names


def _block(old: str, new: str, place: int, attended: bool) -> dict[str, str]:
    names = _residual(f"{old}.0", f"{new}.resnets.{place}")
    return names | {f"{old}.1": f"{new}.attentions.{place}"} if attended else names


def _residual(old: str, new: str) -> dict[str, str]:
    return {f"{old}.{theirs}": f"{new}.{ours}" for theirs, ours in RESIDUAL.items()}
