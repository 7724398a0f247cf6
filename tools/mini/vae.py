"""The autoencoder: 8 x 8 pixels to one latent of four channels and back."""

from __future__ import annotations

import math
import random
from typing import cast

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

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


def give_colours_a_path(vae: AutoencoderKL) -> None:
    """Start an untrained autoencoder as "mean colour of 8 x 8 pixels, and blocks of it back"; the rest is learnt.

    Eight channels of the residual stream (each colour and its negative, and two zeros that fill a norm group) carry
    the colours past every residual block, and never learn. GroupNorm would take the absolute colour from them; they
    reach the last norm so small that its epsilon, not their variance, sets the scale. silu(x) - silu(-x) = x undoes
    the activation.
    Without it a thousand steps went by before blue was blue.
    """
    tiny = 1e-4
    gain = 1e-6**0.5 / tiny  # what the last norm's epsilon of 1e-6 does to such values
    path = slice(0, 8)
    signs = torch.tensor([1.0, -1.0])
    corner = (slice(0, 2), slice(0, 2))  # 2 x 2 mean under SD's one-sided padding
    with torch.no_grad():
        for half in (vae.encoder, vae.decoder):
            for module in half.modules():
                if isinstance(module, ResnetBlock2D):
                    _fix_rows(module.conv2, path)
                    if module.conv_shortcut is not None:
                        _fix_rows(module.conv_shortcut, path, torch.eye(8), (0, 0))
                elif isinstance(module, Attention):
                    _fix_rows(module.to_out[0], path)
            spread = torch.kron(torch.eye(4, 3), signs[:, None])  # (8, 3): colours to channels
            _fix_rows(half.conv_in, path, spread, (1, 1))
            _fix_columns(half.conv_out, path, torch.kron(torch.eye(3, 4), signs[None, :]), (1, 1))
            half.conv_norm_out.weight[path] = gain
            half.conv_norm_out.bias[path] = 0
            _freeze(half.conv_norm_out.weight, path)
            _freeze(half.conv_norm_out.bias, path)
        for level, block in enumerate(vae.encoder.down_blocks[:-1]):
            amount = 0.25 * (tiny if level == 2 else 1.0)
            _fix_rows(block.downsamplers[0].conv, path, amount * torch.eye(8), corner)
        for level, block in enumerate(vae.decoder.up_blocks[:-1]):
            _fix_rows(block.upsamplers[0].conv, path, (tiny if level == 2 else 1.0) * torch.eye(8), (1, 1))
        out = vae.encoder.conv_out
        out.weight[4:] = 0
        out.bias[4:] = 2 * math.log(POSTERIOR_STD)
        _freeze(out.weight, slice(4, 8))
        _freeze(out.bias, slice(4, 8))
        for layer in (vae.quant_conv, vae.post_quant_conv):
            layer.weight.copy_(torch.eye(len(layer.weight))[:, :, None, None])
            layer.bias.zero_()
            layer.requires_grad_(False)


Tap = tuple[int | slice, int | slice]


def _fix_rows(layer: nn.Module, rows: slice, values: Tensor | None = None, tap: Tap = (0, 0)) -> None:
    """Outputs `rows` of a convolution or linear layer are `values` at `tap` of the first inputs, else 0, for ever."""
    weight, bias = layer.weight, layer.bias
    weight[rows] = 0
    bias[rows] = 0
    if values is not None:
        target = weight[rows, : values.shape[1], tap[0], tap[1]]
        weight[rows, : values.shape[1], tap[0], tap[1]] = values.reshape(*values.shape, *[1] * (target.ndim - 2))
    _freeze(weight, rows)
    _freeze(bias, rows)


def _fix_columns(layer: nn.Conv2d, columns: slice, values: Tensor, tap: Tap) -> None:
    """The colours' part of a last convolution; what its other inputs add to the colours starts at zero."""
    weight = layer.weight
    weight[:3] = 0
    weight[:, columns] = 0
    weight[:3, columns, tap[0], tap[1]] = values
    layer.bias.zero_()
    _freeze(weight, columns, dimension=1)


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
    difference = vae.decode(latents).sample - pixels
    return difference.abs().mean() + difference.square().mean() + 1e-3 * mean.square().mean()


@torch.no_grad()
def normalise_latents(vae: AutoencoderKL, pixels: Tensor) -> None:
    """Fold into the 1x1 convolutions beside the latents that `latents * SCALE` have zero mean and unit variance.

    The pictures that come out stay the same. Running it twice changes nothing more.
    """
    mean = vae.encode(pixels).latent_dist.mean
    shift = mean.mean(dim=(0, 2, 3))
    gain = 1 / (SCALE * mean.std(dim=(0, 2, 3)))  # new = (old - shift) * gain
    channels = len(shift)
    before, after = vae.quant_conv, vae.post_quant_conv
    before.weight[:channels] *= gain[:, None, None, None]
    before.bias[:channels] = (before.bias[:channels] - shift) * gain
    before.bias[channels:] += 2 * gain.log()
    after.bias += (after.weight[:, :, 0, 0] * shift).sum(dim=1)
    after.weight /= gain[None, :, None, None]
