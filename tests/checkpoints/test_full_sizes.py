"""The published models' dimensions, read off shapes alone: diffusers' own networks of full size, never filled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from modules.checkpoints.blueprint import Blueprint
from modules.checkpoints.families import known_families
from modules.checkpoints.files import Header, TensorInfo
from modules.checkpoints.sidecar import Sidecar
from tests.checkpoints.original_layout import unet_tensors, vae_tensors

VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
SD1 = {"cross_attention_dim": 768, "attention_head_dim": [8, 8, 8, 8]}
SD2 = {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True}
SDXL = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "class_embed_type": "projection",
    "projection_class_embeddings_input_dim": 2816,
}
REFINER = {
    "block_out_channels": (384, 768, 1536, 1536),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": [4, 4, 4, 4],
    "attention_head_dim": [6, 12, 24, 24],
    "cross_attention_dim": 1280,
    "use_linear_projection": True,
    "class_embed_type": "projection",
    "projection_class_embeddings_input_dim": 2560,
}
CLIP_L = {"width": 768, "layers": 12, "hidden": 3072}
OPEN_CLIP_H = {"width": 1024, "layers": 24, "hidden": 4096}
OPEN_CLIP_G = {"width": 1280, "layers": 32, "hidden": 5120}


def clip_shapes(prefix: str, width: int, layers: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """What the reader looks at of a transformers encoder."""
    inner = f"{prefix}text_model."
    return {
        f"{inner}final_layer_norm.weight": (width,),
        f"{inner}embeddings.token_embedding.weight": (49408, width),
        f"{inner}embeddings.position_embedding.weight": (77, width),
        **{f"{inner}encoder.layers.{layer}.mlp.fc1.weight": (hidden, width) for layer in range(layers)},
    }


def open_clip_shapes(prefix: str, width: int, layers: int, hidden: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}ln_final.weight": (width,),
        f"{prefix}token_embedding.weight": (49408, width),
        f"{prefix}positional_embedding": (77, width),
        f"{prefix}text_projection": (width, width),
        **{f"{prefix}transformer.resblocks.{layer}.mlp.c_fc.weight": (hidden, width) for layer in range(layers)},
    }


MODELS: dict[str, tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]] = {
    "SD 1.5": ("SD 1.x", SD1, clip_shapes("cond_stage_model.transformer.", **CLIP_L)),
    "SD 2.1": ("SD 2.x", SD2, open_clip_shapes("cond_stage_model.model.", **OPEN_CLIP_H)),
    "SD 2.1 Turbo": ("SD 2.x", SD2, open_clip_shapes("conditioner.embedders.0.model.", **OPEN_CLIP_H)),
    "SDXL": (
        "SDXL",
        SDXL,
        clip_shapes("conditioner.embedders.0.transformer.", **CLIP_L)
        | open_clip_shapes("conditioner.embedders.1.model.", **OPEN_CLIP_G),
    ),
    "SDXL refiner": ("SDXL refiner", REFINER, open_clip_shapes("conditioner.embedders.0.model.", **OPEN_CLIP_G)),
}


def blueprint_of(unet: dict[str, Any], text: dict[str, tuple[int, ...]]) -> Blueprint:
    with torch.device("meta"):
        tensors = unet_tensors(UNet2DConditionModel(**unet)) | vae_tensors(AutoencoderKL(**VAE))
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()} | text
    header = Header(Path("full.safetensors"), {key: TensorInfo("F16", shape) for key, shape in shapes.items()})
    return known_families().of(header).draw(header, Sidecar())


@pytest.mark.parametrize("model", MODELS)
def test_a_full_model_is_read_off_its_shapes(model: str) -> None:
    family, unet, text = MODELS[model]
    blueprint = blueprint_of(unet, text)
    assert blueprint.family.name == family
    assert blueprint.vae is not None
    with torch.device("meta"):
        expected = UNet2DConditionModel(**unet).state_dict()
        drawn = blueprint.unet.build(blueprint.unet.config).state_dict()
        vae = AutoencoderKL(**VAE).state_dict()
        drawn_vae = blueprint.vae.build(blueprint.vae.config).state_dict()
    assert {key: value.shape for key, value in drawn.items()} == {key: value.shape for key, value in expected.items()}
    assert {key: value.shape for key, value in drawn_vae.items()} == {key: value.shape for key, value in vae.items()}
    assert blueprint.unet.pieces.keys() == expected.keys()
    assert blueprint.vae.pieces.keys() == vae.keys()
    assert blueprint.unet.config["attention_head_dim"] == unet["attention_head_dim"]


def test_text_encoders_of_full_size_have_their_heads() -> None:
    heads = {
        name: [part.component.config["num_attention_heads"] for part in blueprint_of(unet, text).text]
        for name, (_, unet, text) in MODELS.items()
        if name in ("SD 1.5", "SD 2.1", "SDXL")
    }
    assert heads == {"SD 1.5": [12], "SD 2.1": [16], "SDXL": [12, 20]}
