"""A T2I-Adapter file: its dimensions read off the tensors, its names turned into diffusers'.

Source: https://github.com/TencentARC/T2I-Adapter, ldm/modules/encoders/adapter.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.checkpoints.components import Component, Piece, need_shape
from modules.checkpoints.files import Header
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from diffusers.models.adapter import T2IAdapter

PREFIX = "adapter."
# Input channels after pixels were folded into them -> (channels of the picture, pixels on a side that are folded).
FOLDS = {64: (1, 8), 192: (3, 8), 256: (1, 16), 768: (3, 16)}
BLOCKS_PER_LEVEL = 2  # of every full adapter that was published


def is_adapter(header: Header) -> bool:
    return any(
        f"{prefix}{key}" in header
        for prefix in ("", PREFIX)
        for key in ("body.0.block1.weight", "body.0.resnets.0.block1.weight", "body.0.body.0.block1.weight")
    )


def adapter_component(header: Header) -> Component[T2IAdapter]:
    """The T2I-Adapter in a file. Raises: UnknownFile if its layers are of a kind we do not know."""
    prefix = PREFIX if header.has_prefix(PREFIX) else ""
    odd = [key for key in header if ".skep." in key or "down_opt.op." in key]
    if odd:
        raise UnknownFile(
            f"{header.path.name} is a T2I-Adapter of an early kind ({odd[0]}), which is not supported. "
            "Use a ControlNet."
        )
    light = f"{prefix}body.0.out_conv.weight" in header
    names = (_light_names if light else _full_names)(header, prefix)
    pieces = {new: Piece(old) for old, new in names.items()}
    folded = need_shape(header, f"{prefix}body.0.in_conv.weight" if light else f"{prefix}conv_in.weight")[1]
    if folded not in FOLDS:
        raise UnknownFile(f"{header.path.name} is a T2I-Adapter for pictures of an unknown kind ({folded} channels).")
    channels, side = FOLDS[folded]
    count = numbered_levels(pieces)
    if light:
        widths = [need_shape(header, pieces[f"adapter.body.{level}.out_conv.weight"].key)[0] for level in range(count)]
        kind, widths = "light_adapter", widths[:-1]
    else:
        widths = [
            need_shape(header, pieces[f"adapter.body.{level}.resnets.0.block1.weight"].key)[0] for level in range(count)
        ]
        kind = "full_adapter_xl" if side == 16 else "full_adapter"
    config = {
        "in_channels": channels,
        "channels": widths,
        "num_res_blocks": 1 + max(int(key.split(".")[4]) for key in pieces if key.startswith("adapter.body.0.resnets")),
        "downscale_factor": side,
        "adapter_type": kind,
    }
    return Component("T2I-Adapter", build_adapter, config, pieces)


def build_adapter(config: Mapping[str, Any]) -> T2IAdapter:
    from diffusers.models.adapter import T2IAdapter

    network: T2IAdapter = T2IAdapter(**config)
    return network


def numbered_levels(pieces: Mapping[str, Piece]) -> int:
    return 1 + max(int(key.split(".")[2]) for key in pieces if key.startswith("adapter.body."))


def _light_names(header: Header, prefix: str) -> dict[str, str]:
    """File key -> diffusers' key."""
    return {
        key: PREFIX + key.removeprefix(prefix).replace(".body.", ".resnets.")
        for key in header
        if key.startswith(f"{prefix}body.")
    }


def _full_names(header: Header, prefix: str) -> dict[str, str]:
    """File key -> diffusers' key. The original counts blocks through all levels."""
    own = {key: key.removeprefix(prefix) for key in header if key.startswith((f"{prefix}body.", f"{prefix}conv_in."))}
    if any(".resnets." in key for key in own):
        return {key: PREFIX + short for key, short in own.items()}
    names = {}
    for key, short in own.items():
        parts = short.split(".")
        if parts[0] == "body":
            level, place = divmod(int(parts[1]), BLOCKS_PER_LEVEL)
            inner = parts[2:] if parts[2] == "in_conv" else ["resnets", str(place), *parts[2:]]
            parts = ["body", str(level), *inner]
        names[key] = PREFIX + ".".join(parts)
    return names
