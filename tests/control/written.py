"""Tiny random networks that steer, written as the programs that train them write them.

The names are made here by arithmetic on block numbers; the reader under test finds them by walking the keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import ControlNetModel, T2IAdapter, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.checkpoints.original_layout import unet_key

EYE = "controlnet_cond_embedding."


def normal(*shape: int, seed: int = 1) -> Tensor:
    """The same noise in every run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def uniform(*shape: int, seed: int = 2) -> Tensor:
    """The same numbers between 0 and 1 in every run."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def tiny_controlnet(unet: UNet2DConditionModel, *, seed: int = 3, zero: bool = False) -> ControlNetModel:
    """A random ControlNet of `unet`'s shape; `zero`: its outputs are what training begins with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ControlNetModel.from_unet(
            unet, conditioning_embedding_out_channels=(8, 8, 16, 16), load_weights_from_unet=False
        )
        outputs = [*network.controlnet_down_blocks, network.controlnet_mid_block]
        for weight in [] if zero else [weight for one in outputs for weight in one.parameters()]:
            nn.init.normal_(weight, std=0.3)
        if not zero:
            nn.init.normal_(network.controlnet_cond_embedding.conv_out.weight, std=0.3)
    return network.eval().requires_grad_(False)


def original_tensors(network: ControlNetModel, unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """`network` under the names of the original code, without a prefix."""
    blocks = len(network.controlnet_cond_embedding.blocks)
    named = {}
    for key, value in network.state_dict().items():
        parts = key.split(".")
        if key.startswith(EYE):
            place = {"conv_in": 0, "conv_out": 2 * blocks + 2}.get(parts[1])
            place = 2 * int(parts[2]) + 2 if place is None else place
            named[f"input_hint_block.{place}.{parts[-1]}"] = value
        elif parts[0] == "controlnet_down_blocks":
            named[f"zero_convs.{parts[1]}.0.{parts[2]}"] = value
        elif parts[0] == "controlnet_mid_block":
            named[f"middle_block_out.0.{parts[1]}"] = value
        else:
            named[unet_key(key, unet.config.layers_per_block, unet)] = value
    return named


def write(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    return path


def control_lora(network: ControlNetModel, unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """A Control-LoRA whose differences from `unet` have full rank, so that it stands for `network` exactly."""
    whole = original_tensors(network, unet)
    base = {unet_key(key, unet.config.layers_per_block, unet): value for key, value in unet.state_dict().items()}
    tensors = {"lora_controlnet": torch.tensor([])}
    for key, value in whole.items():
        if key in base and key.endswith(".weight") and value.ndim > 1:
            flat = (value - base[key]).flatten(1)
            stem = key.removesuffix("weight")
            tensors[f"{stem}up"] = torch.eye(len(flat))
            tensors[f"{stem}down"] = flat.view(len(flat), *value.shape[1:])
        else:
            tensors[key] = value
    return tensors


def tiny_adapter(kind: str, channels: tuple[int, ...], *, picture: int = 3, seed: int = 4) -> T2IAdapter:
    side = 16 if kind == "full_adapter_xl" else 8
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        blocks = 4 if kind == "light_adapter" else 2
        network = T2IAdapter(picture, list(channels), blocks, side, kind)
    return network.eval().requires_grad_(False)


def original_adapter_tensors(network: T2IAdapter) -> dict[str, Tensor]:
    """`network` under the names of the original code."""
    light, named = network.config.adapter_type == "light_adapter", {}
    for key, value in network.state_dict().items():
        parts = key.removeprefix("adapter.").split(".")
        if light:
            parts = ["body" if part == "resnets" else part for part in parts]
        elif parts[0] == "body":
            place = int(parts[3]) if parts[2] == "resnets" else 0
            inner = parts[4:] if parts[2] == "resnets" else parts[2:]
            parts = ["body", str(int(parts[1]) * network.config.num_res_blocks + place), *inner]
        named[".".join(parts)] = value
    return named
