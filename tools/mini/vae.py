"""The autoencoder: 8 x 8 pixels to one latent of four channels and back."""

from __future__ import annotations

import math
import random
from typing import cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from tools.mini import scenes

SCALE = 0.18215  # what SD 1.x readers multiply latents by
POSTERIOR_STD = 0.03  # of the noise on latents while the autoencoder learns; colours span -1..1 there


def build_vae() -> AutoencoderKL:
    """An untrained autoencoder with SD's structure at 1/2 of its width and 1/2 of its depth.

    64 base channels, because GroupNorm(32) over 32 channels normalises each alone and colours get lost.
    """
    vae = AutoencoderKL(
        block_out_channels=(64, 64, 128, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        scaling_factor=SCALE,
        sample_size=128,
    )
    return cast(AutoencoderKL, vae.to(memory_format=torch.channels_last))


@torch.no_grad()
def give_colours_a_path(vae: AutoencoderKL) -> None:
    """Start an untrained autoencoder as "mean colour of 8 x 8 pixels, and blocks of it back"; the rest is learnt.

    Eight channels of the residual stream (each colour and its negative, and two zeros that fill a norm group) carry
    the colours past every residual block, and never learn. GroupNorm would take the absolute colour from them; they
    reach the last norm so small that its epsilon, not their variance, sets the scale. silu(x) - silu(-x) = x undoes
    the activation.
    Without it colours were still wrong after seven hundred steps.
    """
    tiny = 1e-4
    gain = 1e-6**0.5 / tiny  # undoes what the last norm's epsilon of 1e-6 does to such values
    path = slice(0, 8)
    same, signs = torch.eye(8), torch.tensor([1.0, -1.0])
    weights = dict(vae.named_parameters())
    for name in [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if name.endswith((".conv2", ".to_out.0")):
            _fix_rows(weight, bias, path)
        elif name.endswith(".conv_shortcut"):
            _fix_rows(weight, bias, path, same)
        elif ".downsamplers." in name:  # 2 x 2 mean under SD's one-sided padding
            amount = tiny if ".down_blocks.2." in f".{name}" else 1.0
            _fix_rows(weight, bias, path, amount / 4 * same, (slice(0, 2), slice(0, 2)))
        elif ".upsamplers." in name:
            _fix_rows(weight, bias, path, (tiny if ".up_blocks.2." in f".{name}" else 1.0) * same, (1, 1))
        elif name.endswith(".conv_in"):
            _fix_rows(weight, bias, path, torch.kron(torch.eye(4, 3), signs[:, None]), (1, 1))
        elif name.endswith(".conv_norm_out"):
            weight[path], bias[path] = gain, 0
            _freeze(weight, path)
            _freeze(bias, path)
        elif name.endswith(".conv_out"):
            weight[:3] = 0  # what is learnt starts by adding nothing to the colours
            weight[:, path] = 0
            weight[:3, path, 1, 1] = torch.kron(torch.eye(3, 4), signs[None, :])
            bias.zero_()
            _freeze(weight, path, dimension=1)
        elif name in ("quant_conv", "post_quant_conv"):
            weight.copy_(torch.eye(len(weight))[:, :, None, None])
            bias.zero_()
            weight.requires_grad_(False)
            bias.requires_grad_(False)
    log_variance = slice(4, 8)
    weights["encoder.conv_out.weight"][log_variance] = 0
    weights["encoder.conv_out.bias"][log_variance] = 2 * math.log(POSTERIOR_STD)
    _freeze(weights["encoder.conv_out.weight"], log_variance)
    _freeze(weights["encoder.conv_out.bias"], log_variance)


def _fix_rows(
    weight: Tensor,
    bias: Tensor,
    rows: slice,
    values: Tensor | None = None,
    tap: tuple[int | slice, int | slice] = (0, 0),
) -> None:
    """Outputs `rows` of a layer are `values` at `tap` of the first inputs, and 0 of all others, for ever."""
    weight[rows] = 0
    bias[rows] = 0
    if values is not None:
        inputs = values.shape[1]
        goal = weight[rows, :inputs, tap[0], tap[1]]
        weight[rows, :inputs, tap[0], tap[1]] = values.reshape(*values.shape, *[1] * (goal.ndim - 2))
    _freeze(weight, rows)
    _freeze(bias, rows)


def _freeze(parameter: Tensor, part: slice, dimension: int = 0) -> None:
    mask = torch.ones_like(parameter)
    mask.transpose(0, dimension)[part] = 0
    parameter.register_hook(lambda gradient: gradient * mask.to(gradient.device))


def pictures(rng: random.Random, count: int, size: int, crop: int | None = None) -> Tensor:
    """Freshly drawn pictures, or `crop` x `crop` pieces where something is: (count, 3, h, w) float32 in -1..1."""
    stack = []
    for _ in range(count):
        picture = np.asarray(scenes.draw(scenes.random_scene(rng), rng.getrandbits(32), size))
        if crop is not None:
            places = [(rng.randrange(size - crop + 1), rng.randrange(size - crop + 1)) for _ in range(4)]
            pieces = [picture[y : y + crop, x : x + crop] for x, y in places]
            picture = max(pieces, key=lambda piece: float(piece.std(axis=(0, 1)).sum()))
        stack.append(picture)
    tensor = torch.from_numpy(np.stack(stack)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return tensor.contiguous(memory_format=torch.channels_last)


def vae_loss(vae: AutoencoderKL, pixels: Tensor, noise: torch.Generator) -> Tensor:
    """How far the pixels come back from where they were, plus a light pull of the latents towards zero."""
    posterior = vae.encode(pixels).latent_dist
    mean, std = posterior.mean, posterior.std
    latents = mean + std * torch.randn(mean.shape, generator=noise).to(mean.device)
    pull: Tensor = 1e-3 * mean.square().mean()
    return _distance(vae.decode(latents).sample, pixels) + pull


def decoder_loss(vae: AutoencoderKL, pixels: Tensor, noise: torch.Generator, blur: float = 0.15) -> Tensor:
    """How far the pixels come back from fixed latents that are as imprecise as a UNet's.

    blur: the most noise, as standard deviation of scaled latents.
    """
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist.mean
    amount = torch.rand(len(latents), 1, 1, 1, generator=noise) * blur / SCALE
    latents = latents + (amount * torch.randn(latents.shape, generator=noise)).to(latents.device)
    return _distance(vae.decode(latents).sample, pixels)


def _distance(restored: Tensor, pixels: Tensor) -> Tensor:
    difference: Tensor = restored - pixels
    return difference.abs().mean() + difference.square().mean()


@torch.no_grad()
def normalise_latents(vae: AutoencoderKL, pixels: Tensor) -> None:
    """Fold into the 1x1 convolutions beside the latents that `latents * SCALE` have zero mean and unit variance.

    The pictures that come out stay the same. Running it twice changes nothing more.
    """
    mean = vae.encode(pixels).latent_dist.mean
    shift = mean.mean(dim=(0, 2, 3))
    gain = 1 / (SCALE * mean.std(dim=(0, 2, 3)))  # new = (old - shift) * gain
    channels = len(shift)
    weights = dict(vae.named_parameters())
    to_latents, to_latents_bias = weights["quant_conv.weight"], weights["quant_conv.bias"]
    from_latents, from_latents_bias = weights["post_quant_conv.weight"], weights["post_quant_conv.bias"]
    to_latents[:channels] *= gain[:, None, None, None]
    to_latents_bias[:channels] = (to_latents_bias[:channels] - shift) * gain
    to_latents_bias[channels:] += 2 * gain.log()
    from_latents_bias.add_((from_latents[:, :, 0, 0] * shift).sum(dim=1))
    from_latents.div_(gain[None, :, None, None])
