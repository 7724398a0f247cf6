"""The UNet as A1111 has it: `input_blocks`, `middle_block`, `output_blocks` and a `forward` that walks through them.

Its layers are those of diffusers' UNet. While nobody has changed it, diffusers' own `forward` runs; once an extension
replaced a block, hooked one, or put something in place of `forward` or of `th.cat`, this one does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from modules.a1111.engine.layers import ResBlock, SpatialTransformer, TimestepBlock, shape

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

KEY = "_as_a1111"


class TimestepEmbedSequential(nn.Sequential):
    """One block: its layers in turn, each told what it takes."""

    def forward(self, x: Tensor, emb: Tensor, context: Tensor | None = None) -> Tensor:  # type: ignore[override]
        for layer in self:
            if isinstance(layer, (TimestepBlock, ResBlock)):
                x = layer(x, emb)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class UNetModel(nn.Module):
    """A view of diffusers' UNet. What it does not have itself is asked of that."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.__dict__["unet"] = unet
        for layer in list(unet.modules()):
            shape(layer)
        self.input_blocks = nn.ModuleList(_downward(unet))
        self.middle_block = TimestepEmbedSequential(*_middle(unet))
        self.output_blocks = nn.ModuleList(_upward(unet))
        self.out = nn.Sequential(unet.conv_norm_out, unet.conv_act, unet.conv_out)
        self.__dict__["blocks"] = self._blocks()
        self.__dict__["used"] = False
        self.training = False

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["unet"], name)

    @property
    def in_channels(self) -> int:
        return int(self.unet.config.in_channels)

    @property
    def model_channels(self) -> int:
        return int(self.unet.config.block_out_channels[0])

    @property
    def num_classes(self) -> str | None:
        return None if self.unet.class_embedding is None else "sequential"

    def state_dict(self, *args: Any, **options: Any) -> Any:
        """The tensors under diffusers' names."""
        return self.unet.state_dict(*args, **options)

    def time_embed(self, t_emb: Tensor) -> Tensor:
        embedded: Tensor = self.unet.time_embedding(t_emb)
        return embedded

    def forward(
        self, x: Tensor, timesteps: Tensor | None = None, context: Tensor | None = None, y: Tensor | None = None
    ) -> Tensor:
        """The network's output, (B, C, h, w) like x; timesteps: (B,), context: (B, T, D), y: (B, V) for SDXL."""
        return self.walked(x, timesteps, context, y)

    def walked(
        self,
        x: Tensor,
        timesteps: Any,
        context: Tensor | None,
        y: Tensor | None,
        across: tuple[Tensor, ...] = (),
        middle: Tensor | None = None,
        within: tuple[Tensor, ...] = (),
    ) -> Tensor:
        """The same, with what other networks add inside; see `Residuals`."""
        from modules import sd_hijack_unet

        unet = self.unet
        emb = self.time_embed(unet.get_time_embed(sample=x, timestep=timesteps))
        named = unet.get_class_embed(sample=x, class_labels=y)
        if named is not None:
            emb = emb + named
        h, skips = x, []
        rest, ends = list(within), _level_ends(unet)
        for place, block in enumerate(self.input_blocks):
            h = block(h, emb, context)
            if rest and place in ends:
                h = h + rest.pop(0)
            skips.append(h)
        if across:
            skips = [skip + more for skip, more in zip(skips, across, strict=True)]
        h = self.middle_block(h, emb, context)
        if middle is not None:
            h = h + middle
        for block in self.output_blocks:
            h = sd_hijack_unet.th.cat([h, skips.pop()], dim=1)
            h = block(h, emb, context)
        if h.shape[-2:] != x.shape[-2:]:
            h = interpolate(h, size=x.shape[-2:], mode="nearest")
        output: Tensor = self.out(h)
        return output

    @property
    def changed(self) -> bool:
        """Whether an extension has put something in place of a part, or hooks on one."""
        hijack = sys.modules.get("modules.sd_hijack_unet")
        if hijack is not None and "cat" in vars(hijack.th):
            return True
        if self.__dict__["blocks"] != self._blocks():
            return True
        return any(
            "forward" in vars(part) or part._forward_hooks or part._forward_pre_hooks for part in (self, *self._parts())
        )

    def _parts(self) -> Iterator[nn.Module]:
        yield from self.input_blocks
        yield self.middle_block
        yield from self.output_blocks
        yield self.out

    def _blocks(self) -> list[int]:
        return [id(layer) for block in self._parts() for layer in (block, *block.children())]


def _downward(unet: UNet2DConditionModel) -> Iterator[TimestepEmbedSequential]:
    yield TimestepEmbedSequential(unet.conv_in)
    level: Any
    for level in unet.down_blocks:
        attentions = getattr(level, "attentions", None) or [None] * len(level.resnets)
        for resnet, attention in zip(level.resnets, attentions, strict=True):
            yield TimestepEmbedSequential(*(layer for layer in (resnet, attention) if layer is not None))
        for sampler in level.downsamplers or ():
            yield TimestepEmbedSequential(sampler)


def _level_ends(unet: UNet2DConditionModel) -> set[int]:
    """Which input blocks end a level, which is where other networks add to it."""
    place, ends = 0, set()
    level: Any
    for level in unet.down_blocks:
        place += len(level.resnets)
        ends.add(place)
        place += len(level.downsamplers or ())
    return ends


def _middle(unet: UNet2DConditionModel) -> list[nn.Module]:
    middle = unet.mid_block
    layers = [middle.resnets[0]]
    for attention, resnet in zip(middle.attentions, middle.resnets[1:], strict=True):
        layers += [layer for layer in (attention, resnet) if layer is not None]
    return layers


def _upward(unet: UNet2DConditionModel) -> Iterator[TimestepEmbedSequential]:
    level: Any
    for level in unet.up_blocks:
        attentions = getattr(level, "attentions", None) or [None] * len(level.resnets)
        samplers = list(level.upsamplers or ())
        for number, (resnet, attention) in enumerate(zip(level.resnets, attentions, strict=True)):
            last = samplers if number == len(level.resnets) - 1 else []
            yield TimestepEmbedSequential(*(layer for layer in (resnet, attention, *last) if layer is not None))


def as_a1111(unet: UNet2DConditionModel) -> UNetModel:
    """The view of `unet`, the same each time. From now on what extensions do to the view is what draws."""
    if KEY in vars(unet):
        view: UNetModel = vars(unet)[KEY]
        return view
    view = UNetModel(unet)
    before = unet.forward

    def forward(
        sample: Tensor,
        timestep: Any,
        encoder_hidden_states: Tensor,
        class_labels: Tensor | None = None,
        *args: Any,
        **options: Any,
    ) -> Any:
        if args or not view.changed:
            return before(sample, timestep, encoder_hidden_states, class_labels, *args, **options)
        across = options.get("down_block_additional_residuals") or ()
        middle = options.get("mid_block_additional_residual")
        within = tuple(options.get("down_intrablock_additional_residuals") or ())
        if not torch.is_tensor(timestep) or timestep.ndim == 0:
            timestep = torch.as_tensor(timestep, device=sample.device).expand(len(sample))
        if across or middle is not None or within:
            output = view.walked(sample, timestep, encoder_hidden_states, class_labels, across, middle, within)
        else:
            asked = {} if class_labels is None else {"y": class_labels}
            output = view(sample, timestep, context=encoder_hidden_states, **asked)
        return (output,)

    unet.__dict__[KEY] = view
    unet.__dict__["forward"] = forward
    return view
