"""A VAE that works on bands of rows where its maps are large, so that decoding needs half of the memory.

The result is the same up to the last bits of float32: each group norm takes its moments over the whole map first, and
every band sees the row above and the row below it. 512x512 in float32 takes 0.7 GB instead of 1.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad, silu

from modules.checkpoints.device_memory import trim_heap

if TYPE_CHECKING:
    from diffusers.models.autoencoders.vae import Decoder
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.unets.unet_2d_blocks import UpDecoderBlock2D
    from diffusers.models.upsampling import Upsample2D

# Maps below are worked on whole: bands would save little.
LARGE_BYTES = 32 << 20
BAND_BYTES = 12 << 20


@contextmanager
def banded(network: nn.Module) -> Iterator[None]:
    """Inside, the residual blocks and upsamplers of `network`, a part of diffusers' VAE, work in bands."""
    from diffusers.models.autoencoders.vae import Decoder
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.upsampling import Upsample2D

    changed: list[nn.Module] = []
    try:
        for module in network.modules():
            if isinstance(module, ResnetBlock2D) and _plain_block(module):
                _set_forward(module, _block_in_bands(module, module.forward))
                changed.append(module)
            elif isinstance(module, Upsample2D) and _plain_upsampler(module):
                _set_forward(module, _upsampled_in_bands(module, module.forward))
                changed.append(module)
            elif isinstance(module, Decoder) and _plain_decoder(module):
                _set_forward(module, _decoder_in_steps(module, module.forward))
                changed.append(module)
        yield
    finally:
        for module in changed:
            object.__delattr__(module, "forward")


def _set_forward(module: nn.Module, forward: Callable[..., Tensor]) -> None:
    object.__setattr__(module, "forward", forward)


def _plain_block(block: ResnetBlock2D) -> bool:
    """Whether the block is the kind that VAEs have: no time, no change of size, a 3x3 convolution after each norm."""
    convolutions = (block.conv1, block.conv2)
    return (
        block.time_emb_proj is None
        and block.upsample is None
        and block.downsample is None
        and block.time_embedding_norm in ("default", "group")
        and all(_three_by_three(convolution) for convolution in convolutions)
    )


def _plain_upsampler(upsampler: Upsample2D) -> bool:
    whole = upsampler.use_conv and not upsampler.use_conv_transpose and upsampler.norm is None
    return bool(whole and upsampler.interpolate and upsampler.name == "conv" and _three_by_three(upsampler.conv))


def _three_by_three(convolution: nn.Module | None) -> bool:
    return (
        type(convolution) is nn.Conv2d
        and convolution.kernel_size == (3, 3)
        and convolution.stride == (1, 1)
        and convolution.padding == (1, 1)
        and convolution.padding_mode == "zeros"
    )


def _watched(*modules: nn.Module) -> bool:
    """Whether somebody listens to these modules, or changed what they do: then they have to be called."""
    return any("forward" in vars(one) or one._forward_pre_hooks or one._forward_hooks for one in modules)


def _plain_decoder(decoder: Decoder) -> bool:
    from diffusers.models.unets.unet_2d_blocks import UpDecoderBlock2D

    blocks = all(type(block) is UpDecoderBlock2D for block in decoder.up_blocks)
    return blocks and isinstance(decoder.conv_norm_out, nn.GroupNorm) and _three_by_three(decoder.conv_out)


def _decoder_in_steps(decoder: Decoder, plain: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The decoder without the frames that hold on to the map before the one that is worked on."""

    def forward(sample: Tensor, latent_embeds: Tensor | None = None) -> Tensor:
        last = decoder.conv_norm_out, decoder.conv_act, decoder.conv_out
        if sample.shape[0] != 1 or latent_embeds is not None or _watched(*decoder.up_blocks, *last):
            return plain(sample, latent_embeds)
        x: Tensor = decoder.mid_block(decoder.conv_in(sample))
        for block in cast("Iterator[UpDecoderBlock2D]", decoder.up_blocks):
            for part in (*block.resnets, *(block.upsamplers or ())):
                x = part(x)
        trim_heap()
        return _activated(x, cast("nn.GroupNorm", decoder.conv_norm_out), decoder.conv_act, decoder.conv_out)

    return forward


def _block_in_bands(block: ResnetBlock2D, plain: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def forward(x: Tensor, temb: Tensor | None = None) -> Tensor:
        largest = max(block.in_channels, block.out_channels) * x.shape[-2] * x.shape[-1] * x.itemsize
        parts = (block.norm1, block.conv1, block.norm2, block.conv2)
        if x.shape[0] != 1 or largest < LARGE_BYTES or temb is not None or _watched(*parts):
            return plain(x, temb)
        trim_heap()  # the holes that earlier maps have left are of no use for these
        hidden = _activated(x, block.norm1, block.nonlinearity, block.conv1)
        hidden = _activated(hidden, block.norm2, block.nonlinearity, block.conv2, in_place=True)
        if block.conv_shortcut is None:
            hidden += x
        else:
            for rows in _bands(x):
                hidden[..., rows, :] += block.conv_shortcut(x[..., rows, :])
        return hidden if block.output_scale_factor == 1 else hidden.div_(block.output_scale_factor)

    return forward


def _activated(
    x: Tensor, norm: nn.GroupNorm, nonlinearity: nn.Module, convolution: nn.Conv2d, *, in_place: bool = False
) -> Tensor:
    """convolution(nonlinearity(norm(x))); in_place: in `x`, if it has the shape for it."""
    factor, summand = _affine(x, norm)

    def before(band: Tensor) -> Tensor:
        normed = torch.addcmul(summand, band, factor).to(x.dtype)
        activated: Tensor = silu(normed, inplace=True) if type(nonlinearity) is nn.SiLU else nonlinearity(normed)
        return activated

    return _convolved(x, convolution, before, in_place=in_place)


def _affine(x: Tensor, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
    """Factor and summand per channel, (1, C, 1, 1) float32, that `norm` comes to on `x` (1, C, h, w)."""
    # The kernel of group norm takes moments five times faster than var_mean does; band by band it needs no memory.
    height, width = x.shape[-2:]
    shares, means, squares = [], [], []
    for rows in _bands(x):
        band = x[..., rows, :].float().contiguous(memory_format=_layout(x))
        if band.stride(0) < band.stride(-2):  # a batch of one may have any stride there, but the kernel is misled by it
            band = band.clone(memory_format=_layout(x))
        _, mean, inverse = torch.native_group_norm(
            band, None, None, 1, norm.num_channels, band.shape[-2] * width, norm.num_groups, norm.eps
        )
        shares.append(band.shape[-2] / height)
        means.append(mean[0].double())
        squares.append(inverse[0].double() ** -2 - norm.eps + means[-1] ** 2)
    share = torch.tensor(shares, dtype=torch.float64, device=x.device)
    whole_mean = share @ torch.stack(means)
    each = norm.num_channels // norm.num_groups
    variance = (share @ torch.stack(squares) - whole_mean**2).float().repeat_interleave(each)
    mean = whole_mean.float().repeat_interleave(each)
    factor = (variance + norm.eps).rsqrt() * norm.weight.float()
    summand = norm.bias.float() - mean * factor
    return factor.view(1, -1, 1, 1), summand.view(1, -1, 1, 1)


def _upsampled_in_bands(upsampler: Upsample2D, plain: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def forward(x: Tensor, output_size: int | None = None) -> Tensor:
        convolution = cast("nn.Conv2d", upsampler.conv)
        if x.shape[0] != 1 or 4 * x.nbytes < LARGE_BYTES or output_size is not None or _watched(convolution):
            return plain(x, output_size)
        trim_heap()
        height, width = x.shape[-2] * 2, x.shape[-1] * 2
        out = _empty(x, convolution.out_channels, height, width)
        for rows in _bands(x, 4):
            # One row beyond the band on either side gives two; the convolution looks one row far.
            above, below = min(1, rows.start), min(1, x.shape[-2] - rows.stop)
            enlarged = interpolate(x[..., rows.start - above : rows.stop + below, :], scale_factor=2.0, mode="nearest")
            enlarged = enlarged[..., above : enlarged.shape[-2] - below, :]
            out[..., rows.start * 2 : rows.stop * 2, :] = _padded_convolution(enlarged, convolution, above, below)
        return out

    return forward


def _convolved(
    x: Tensor, convolution: nn.Conv2d, before: Callable[[Tensor], Tensor], *, in_place: bool = False
) -> Tensor:
    """convolution(before(x)) for a `before` that looks at single pixels."""
    same = in_place and convolution.in_channels == convolution.out_channels
    out = x if same else _empty(x, convolution.out_channels, *x.shape[-2:])
    above = x[..., :0, :]
    for rows in _bands(x):
        below = min(1, x.shape[-2] - rows.stop)
        band = before(torch.cat([above, x[..., rows.start : rows.stop + below, :]], dim=-2))
        above = x[..., rows.stop - 1 : rows.stop, :].clone()  # before the result may overwrite it
        out[..., rows, :] = _padded_convolution(band, convolution, min(1, rows.start), below)
    return out


def _padded_convolution(band: Tensor, convolution: nn.Conv2d, above: int, below: int) -> Tensor:
    """`convolution` of a band that has a row more `above` and `below`, or zeros where the picture ends there."""
    if above and below:
        return conv2d(band, convolution.weight, convolution.bias, padding=(0, 1))
    framed = pad(band, (0, 0, 1 - above, 1 - below))
    return conv2d(framed, convolution.weight, convolution.bias, padding=(0, 1))


def _bands(x: Tensor, growth: int = 1) -> list[slice]:
    """Rows of `x`, cut so that no band takes more than BAND_BYTES once it has grown."""
    height = x.shape[-2]
    rows = max(8, int(BAND_BYTES * height // (x.nbytes * growth)))
    return [slice(start, min(start + rows, height)) for start in range(0, height, rows)]


def _empty(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    shape = (x.shape[0], channels, height, width)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_layout(x))


def _layout(x: Tensor) -> torch.memory_format:
    return torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
