"""A ControlNet file: its dimensions read off the tensors, its names turned into diffusers'.

Two spellings: that of the original code (`control_model.input_blocks…`, with or without the prefix) and diffusers'.
Source: https://github.com/lllyasviel/ControlNet, cldm/cldm.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modules.checkpoints.components import Component, Piece, need_shape, numbered, pieces_under
from modules.checkpoints.files import Header
from modules.checkpoints.ldm_unet import OUTER, DownwardShape, Level, read_downward
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel

EYE = "controlnet_cond_embedding"
PREFIX = "control_model."
# Models without cross-attention ignore the width, but diffusers wants one.
NO_CONTEXT = 32

Heads = Callable[[int], int]


def is_controlnet(header: Header) -> bool:
    return f"{EYE}.conv_in.weight" in header or any(
        f"{prefix}input_hint_block.0.weight" in header for prefix in ("", PREFIX)
    )


def controlnet_component(header: Header, heads: Heads) -> Component[ControlNetModel]:
    """The ControlNet in a file. `heads(channels)`: attention heads at that width, which no tensor shows.

    Raises: UnknownFile if its blocks make no ControlNet we know.
    """
    half, pieces, modules = _in_diffusers(header) if f"{EYE}.conv_in.weight" in header else _in_original(header)
    config = {
        **half.config(heads),
        "cross_attention_dim": half.context or NO_CONTEXT,
        "conditioning_channels": need_shape(header, pieces[f"{EYE}.conv_in.weight"].key)[1],
        "conditioning_embedding_out_channels": _eye_widths(header, pieces),
    }
    if not isinstance(config["layers_per_block"], int):
        raise UnknownFile(
            f"{header.path.name} is a ControlNet with levels of different length, which is not supported."
        )
    return Component("ControlNet", build_controlnet, config, pieces, modules)


def build_controlnet(config: Mapping[str, Any]) -> ControlNetModel:
    from diffusers.models.controlnets.controlnet import ControlNetModel

    network: ControlNetModel = ControlNetModel(**config)
    return network


def _in_original(header: Header) -> tuple[DownwardShape, dict[str, Piece], dict[str, str]]:
    prefix = PREFIX if header.has_prefix(PREFIX) else ""
    modules = {old: new for old, new in OUTER.items() if not old.startswith("out.")}
    half = read_downward(header, prefix, modules)
    last = numbered(header, f"{prefix}input_hint_block.") - 1
    modules |= {"input_hint_block.0": f"{EYE}.conv_in", f"input_hint_block.{last}": f"{EYE}.conv_out"}
    # Every second place is an activation, which has no weights.
    modules |= {f"input_hint_block.{place}": f"{EYE}.blocks.{place // 2 - 1}" for place in range(2, last, 2)}
    count = numbered(header, f"{prefix}zero_convs.")
    modules |= {f"zero_convs.{place}.0": f"controlnet_down_blocks.{place}" for place in range(count)}
    modules["middle_block_out.0"] = "controlnet_mid_block"
    return half, pieces_under(header, prefix, modules), modules


def _in_diffusers(header: Header) -> tuple[DownwardShape, dict[str, Piece], dict[str, str]]:
    down = tuple(_level(header, f"down_blocks.{place}") for place in range(numbered(header, "down_blocks.")))
    if not down:
        raise UnknownFile(f"{header.path.name} looks like a ControlNet, but has no downward half. Download it again.")
    context = next((key for key in header if key.endswith("attn2.to_k.weight")), None)
    projection = next((key for key in header if key.endswith("proj_in.weight")), None)
    vector = header.shape("add_embedding.linear_1.weight") or header.shape("class_embedding.linear_1.weight")
    half = DownwardShape(
        in_channels=need_shape(header, "conv_in.weight")[1],
        down=down,
        middle_depth=numbered(header, "mid_block.attentions.0.transformer_blocks."),
        context=need_shape(header, context)[1] if context else None,
        linear_projection=projection is not None and len(need_shape(header, projection)) == 2,
        vector=vector[1] if vector else None,
    )
    # SDXL's second conditioning arrives here as one ready vector, as class labels do in diffusers.
    pieces = {key.replace("add_embedding.", "class_embedding."): Piece(key) for key in header}
    return half, pieces, {}


def _level(header: Header, block: str) -> Level:
    places = range(numbered(header, f"{block}.resnets."))
    depths = tuple(numbered(header, f"{block}.attentions.{place}.transformer_blocks.") for place in places)
    return Level(need_shape(header, f"{block}.resnets.0.conv1.weight")[0], depths)


def _eye_widths(header: Header, pieces: Mapping[str, Piece]) -> list[int]:
    """Channels of the layers that look at the picture: the first one's, then after each halving."""
    widths = [need_shape(header, pieces[f"{EYE}.conv_in.weight"].key)[0]]
    while (halving := pieces.get(f"{EYE}.blocks.{2 * len(widths) - 1}.weight")) is not None:
        widths.append(need_shape(header, halving.key)[0])
    return widths
