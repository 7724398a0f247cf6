"""The trained networks as one SD 1.x file (the layout of CompVis' latent diffusion), and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextModel

from tools.mini.networks import TOKENS, build_text_encoder, build_unet
from tools.mini.vae import build_vae

_UNET_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


@dataclass(frozen=True)
class Networks:
    """The three networks of the model, as diffusers and transformers have them."""

    text: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL

    @classmethod
    def untrained(cls) -> Networks:
        return cls(build_text_encoder(), build_unet(), build_vae())

    def all(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        return self.text, self.unet, self.vae


def betas() -> Tensor:
    """SD 1.x's noise schedule: (1000,) float64."""
    return torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2


def file_tensors(networks: Networks) -> dict[str, Tensor]:
    """All weights as float16 under the names of an SD 1.x file, with the schedule that such files carry."""
    tensors: dict[str, Tensor] = {}
    for network, prefix, rename in _parts(networks):
        for name, value in network.state_dict().items():
            key = prefix + rename(name)
            half = value.detach().cpu().to(torch.float16).contiguous()
            tensors[key] = half[:, :, None, None] if half.ndim == 2 and _is_convolution_there(key) else half
    tensors["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(TOKENS)[None]
    tensors["betas"] = betas().float()
    tensors["alphas_cumprod"] = torch.cumprod(1 - betas(), dim=0).float()
    return tensors


def write(networks: Networks, file: Path, about: Mapping[str, str] | None = None) -> None:
    """Write the checkpoint; a reader sees the old file or the new one, never half of one."""
    part = file.with_suffix(".part")
    save_file(file_tensors(networks), part, metadata={"format": "pt", **(about or {})})
    part.chmod(0o644)  # safetensors writes files that only their owner can read
    part.replace(file)


def read(file: Path) -> Networks:
    """The networks of a checkpoint that `write` wrote, as float32."""
    tensors = load_file(file)
    networks = Networks.untrained()
    for network, prefix, rename in _parts(networks):
        state = network.state_dict()
        network.load_state_dict({n: tensors[prefix + rename(n)].float().reshape(state[n].shape) for n in state})
        network.eval()
    return networks


def _parts(networks: Networks) -> list[tuple[nn.Module, str, Callable[[str], str]]]:
    return [
        (networks.unet, "model.diffusion_model.", _unet_name),
        (networks.vae, "first_stage_model.", _vae_name),
        (networks.text, "cond_stage_model.transformer.", _text_name),
    ]


def _text_name(name: str) -> str:
    return name if name.startswith("text_model.") else "text_model." + name


def _unet_name(name: str) -> str:
    """diffusers' name of a UNet tensor -> LDM's. A level has one residual block on the way down, two on the way up."""
    name = name.replace("time_embedding.linear_1", "time_embed.0").replace("time_embedding.linear_2", "time_embed.2")
    name = name.replace("conv_norm_out", "out.0").replace("conv_out", "out.2").replace("conv_in", "input_blocks.0.0")
    if found := re.match(r"down_blocks\.(\d+)\.(resnets|attentions|downsamplers)\.0\.(.*)", name):
        level, part, rest = int(found[1]), found[2], found[3]
        if part == "downsamplers":
            return f"input_blocks.{2 * level + 2}.0.op.{rest.removeprefix('conv.')}"
        return f"input_blocks.{2 * level + 1}.{_in_block(part, rest)}"
    if found := re.match(r"up_blocks\.(\d+)\.(resnets|attentions)\.(\d)\.(.*)", name):
        return f"output_blocks.{2 * int(found[1]) + int(found[3])}.{_in_block(found[2], found[4])}"
    if found := re.match(r"up_blocks\.(\d+)\.upsamplers\.0\.(.*)", name):
        level = int(found[1])
        return f"output_blocks.{2 * level + 1}.{1 if level == 0 else 2}.{found[2]}"  # level 0 has no attention
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        part, number, rest = found[1], int(found[2]), found[3]
        place = 1 if part == "attentions" else 2 * number
        return f"middle_block.{place}.{_in_block(part, rest).split('.', 1)[1]}"
    return name


def _in_block(part: str, rest: str) -> str:
    if part == "attentions":
        return f"1.{rest}"
    layer, ending = rest.rsplit(".", 1)
    return f"0.{_UNET_RESNET[layer]}.{ending}"


def _vae_name(name: str) -> str:
    """diffusers' name of an autoencoder tensor -> LDM's, which counts the decoder's levels from the fine end."""
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if found := re.match(r"(.*)mid_block\.attentions\.0\.(.*)\.(weight|bias)", name):
        return f"{found[1]}mid.attn_1.{_VAE_ATTENTION[found[2]]}.{found[3]}"
    return name


def _is_convolution_there(key: str) -> bool:
    """True for the autoencoder's attention, which LDM writes as 1x1 convolutions and diffusers as linear layers."""
    found = re.fullmatch(r"first_stage_model\..*\.attn_1\.(q|k|v|proj_out)\.weight", key)
    return found is not None
