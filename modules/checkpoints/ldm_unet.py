"""The UNet of the original Stable Diffusion code: dimensions read off the tensors, names turned into diffusers'.

Nothing here knows the size of SD 1.5 or SDXL: levels, channels, residual blocks, attention depths and widths are
counted, so a toy network and a full one go through the same lines. What tensors do not show (the number of heads)
is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modules.checkpoints.components import Component, need_shape, numbered, pieces_under
from modules.checkpoints.files import Header
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

PREFIX = "model.diffusion_model."
PREFIXES = (PREFIX, "")  # a UNet alone (GGUF files are) is often written without
RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
OUTER = {
    "input_blocks.0.0": "conv_in",
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "class_embedding.linear_1",
    "label_emb.0.2": "class_embedding.linear_2",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}


def unet_prefix(header: Header) -> str:
    """Where the UNet lies in the file; PREFIX if it has none."""
    # ControlNets have the same beginning, and no end.
    return next((one for one in PREFIXES if f"{one}out.2.weight" in header), PREFIX)


def is_unet_alone(header: Header) -> bool:
    """Whether the file is a UNet of the original layout, and brings no text encoder."""
    prefix = unet_prefix(header)
    return (
        f"{prefix}input_blocks.0.0.weight" in header
        and f"{prefix}out.2.weight" in header
        and not any(header.has_prefix(one) for one in ("cond_stage_model.", "conditioner."))
    )


@dataclass(frozen=True)
class Level:
    """One resolution: `depths` has an entry per residual block, the number of transformer blocks after it (0: none)."""

    channels: int
    depths: tuple[int, ...] = ()


@dataclass(frozen=True)
class DownwardShape:
    """Every dimension of the downward half and the middle of a UNet, which is what a ControlNet has, too.

    down: from fine to coarse. context: numbers per token, None without cross-attention. vector: width of the second
    conditioning (SDXL's 2816), None without.
    """

    in_channels: int
    down: tuple[Level, ...]
    middle_depth: int
    context: int | None
    linear_projection: bool
    vector: int | None

    def config(self, heads: Callable[[int], int]) -> dict[str, Any]:
        """Arguments that diffusers' UNet2DConditionModel and ControlNetModel share; `heads` as in `unet_config`."""
        depths = [_one_or_all(level.depths) for level in self.down]
        if not depths[-1]:
            depths[-1] = self.middle_depth or 1  # diffusers reads the middle's depth here
        layers = [len(level.depths) for level in self.down]
        attended = [any(level.depths) for level in self.down]
        return {
            "in_channels": self.in_channels,
            "block_out_channels": [level.channels for level in self.down],
            "layers_per_block": layers[0] if len(set(layers)) == 1 else layers,
            "down_block_types": ["CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attended],
            "mid_block_type": "UNetMidBlock2DCrossAttn" if self.middle_depth else "UNetMidBlock2D",
            "transformer_layers_per_block": [depth or 1 for depth in depths],
            # sic: diffusers means their number
            "attention_head_dim": [heads(level.channels) for level in self.down],
            "use_linear_projection": self.linear_projection,
            "class_embed_type": "projection" if self.vector else None,
            "projection_class_embeddings_input_dim": self.vector,
        }


@dataclass(frozen=True)
class UNetShape:
    """Every dimension of an LDM UNet. `up` from coarse to fine; `modules`: original module name -> diffusers' name."""

    half: DownwardShape
    out_channels: int
    up: tuple[Level, ...]
    modules: Mapping[str, str]


def read_shape(header: Header, prefix: str = PREFIX) -> UNetShape:
    """The dimensions of the UNet under `prefix`. Raises: UnknownFile if its blocks make no UNet we know."""
    modules = dict(OUTER)
    half = read_downward(header, prefix, modules)
    up = _walk_up(header, prefix, modules)
    if [len(level.depths) for level in up] != [len(level.depths) + 1 for level in reversed(half.down)]:
        raise UnknownFile(f"{header.path.name}: the UNet's upward half does not mirror its downward half.")
    if half.context is None:
        raise UnknownFile(f"{header.path.name}: the UNet has no cross-attention, so no prompt could steer it.")
    return UNetShape(half, need_shape(header, f"{prefix}out.2.weight")[0], up, modules)


def read_downward(header: Header, prefix: str, modules: dict[str, str]) -> DownwardShape:
    """The dimensions of the downward half under `prefix`, and the names of its modules, which go into `modules`.

    Raises: UnknownFile if its blocks make no UNet we know.
    """
    down = _walk_down(header, prefix, modules)
    middle_depth = _walk_middle(header, prefix, modules)
    projection = next((key for key in header if key.startswith(prefix) and key.endswith("proj_in.weight")), None)
    context = next((key for key in header if key.startswith(prefix) and key.endswith("attn2.to_k.weight")), None)
    vector = header.shape(f"{prefix}label_emb.0.0.weight")
    return DownwardShape(
        in_channels=need_shape(header, f"{prefix}input_blocks.0.0.weight")[1],
        down=down,
        middle_depth=middle_depth,
        context=need_shape(header, context)[1] if context else None,
        linear_projection=projection is not None and len(need_shape(header, projection)) == 2,
        vector=vector[1] if vector else None,
    )


def _walk_down(header: Header, prefix: str, modules: dict[str, str]) -> tuple[Level, ...]:
    levels = [Level(0)]
    for index in range(1, numbered(header, f"{prefix}input_blocks.")):
        block, here = f"input_blocks.{index}", f"down_blocks.{len(levels) - 1}"
        if f"{prefix}{block}.0.op.weight" in header:
            modules[f"{block}.0.op"] = f"{here}.downsamplers.0.conv"
            levels.append(Level(0))
        else:
            levels[-1] = _with_residual(header, prefix, block, here, levels[-1], modules)
    return tuple(levels)


def _walk_up(header: Header, prefix: str, modules: dict[str, str]) -> tuple[Level, ...]:
    levels = [Level(0)]
    for index in range(numbered(header, f"{prefix}output_blocks.")):
        block, here = f"output_blocks.{index}", f"up_blocks.{len(levels) - 1}"
        levels[-1] = _with_residual(header, prefix, block, here, levels[-1], modules)
        for place in (1, 2):
            if f"{prefix}{block}.{place}.conv.weight" in header:
                modules[f"{block}.{place}.conv"] = f"{here}.upsamplers.0.conv"
                levels.append(Level(0))
    return tuple(levels)


def _walk_middle(header: Header, prefix: str, modules: dict[str, str]) -> int:
    depth = numbered(header, f"{prefix}middle_block.1.transformer_blocks.")
    if depth:
        modules["middle_block.1"] = "mid_block.attentions.0"
    residuals = [
        index
        for index in range(numbered(header, f"{prefix}middle_block."))
        if f"{prefix}middle_block.{index}.in_layers.0.weight" in header
    ]
    for place, index in enumerate(residuals):
        modules |= _residual_names(f"middle_block.{index}", f"mid_block.resnets.{place}")
    return depth


def _with_residual(header: Header, prefix: str, block: str, here: str, level: Level, modules: dict[str, str]) -> Level:
    channels = need_shape(header, f"{prefix}{block}.0.out_layers.3.weight")[0]
    if level.channels not in (0, channels):
        raise UnknownFile(f"{header.path.name}: {block} has {channels} channels where its level has {level.channels}.")
    depth = numbered(header, f"{prefix}{block}.1.transformer_blocks.")
    place = len(level.depths)
    modules |= _residual_names(f"{block}.0", f"{here}.resnets.{place}")
    if depth:
        modules[f"{block}.1"] = f"{here}.attentions.{place}"
    return replace(level, channels=channels, depths=(*level.depths, depth))


def _residual_names(old: str, new: str) -> dict[str, str]:
    return {f"{old}.{theirs}": f"{new}.{ours}" for theirs, ours in RESIDUAL.items()}


def unet_config(shape: UNetShape, heads: Callable[[int], int]) -> dict[str, Any]:
    """Arguments of diffusers' UNet2DConditionModel. `heads(channels)`: attention heads at that width.

    The second conditioning goes in as a ready vector ("projection"), not as diffusers' pooled text + time ids.
    """
    common = shape.half.config(heads)
    depths = common["transformer_layers_per_block"]
    asymmetric = any(isinstance(depth, list) for depth in depths) or [
        _one_or_all(level.depths) or 1 for level in shape.up
    ] != [_one_or_all(level.depths) or 1 for level in reversed(shape.half.down)]
    return {
        **common,
        "out_channels": shape.out_channels,
        "up_block_types": ["CrossAttnUpBlock2D" if any(level.depths) else "UpBlock2D" for level in shape.up],
        "reverse_transformer_layers_per_block": (
            [_one_or_all(level.depths) or 1 for level in shape.up] if asymmetric else None
        ),
        "cross_attention_dim": shape.half.context,
    }


def _one_or_all(depths: tuple[int, ...]) -> int | list[int]:
    return depths[0] if len(set(depths)) == 1 else list(depths)


def build_unet(config: Mapping[str, Any]) -> UNet2DConditionModel:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from modules.checkpoints.odd_sizes import enlarge_as_original

    network: UNet2DConditionModel = UNet2DConditionModel(**config)
    enlarge_as_original(network)
    return network


def unet_component(
    header: Header, heads: Callable[[int], int], prefix: str | None = None
) -> Component[UNet2DConditionModel]:
    """The UNet of an original-layout checkpoint. prefix: default: where it lies. Raises: as `read_shape`."""
    prefix = unet_prefix(header) if prefix is None else prefix
    shape = read_shape(header, prefix)
    return Component(
        "UNet", build_unet, unet_config(shape, heads), pieces_under(header, prefix, shape.modules), shape.modules
    )
