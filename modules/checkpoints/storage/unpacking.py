"""From what a header says of a packed weight to the weight."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from modules.checkpoints.storage.packed import FOUR_BIT_BLOCK, Float8, FourBit, Ggml, Packed
from modules.checkpoints.tensor_info import FLOAT8, FOUR_BIT, TORCH_NAMES, TensorInfo

Read = Callable[[TensorInfo], Tensor]


def packed_of(info: TensorInfo, data: Tensor, read: Read) -> Packed:
    """The weight that `info` describes. data: its bytes, int8; read: a plain tensor of the file.

    Raises: UnknownFile if it is packed in a way that is not known.
    """
    if info.dtype in FLOAT8:
        scales = {name: read(one).float() for name, one in info.beside.items()}
        by_row = frozenset(name for name, scale in scales.items() if scale.numel() > 1)
        scales = {name: scale.view(-1, 1) if name in by_row else scale for name, scale in scales.items()}
        stored: torch.dtype = getattr(torch, TORCH_NAMES[info.dtype])
        return Packed(data.view(info.shape), info.shape, Float8(stored), scales, by_row)
    if info.dtype in FOUR_BIT:
        return _four_bit(info, data, read)
    rows = info.shape[0] if len(info.shape) == 2 else 1
    return Packed(data.view(rows, -1), info.shape, Ggml(info.dtype))


def _four_bit(info: TensorInfo, data: Tensor, read: Read) -> Packed:
    parts = {name: read(one) for name, one in info.beside.items()}
    absmax = parts["absmax"]
    if "nested_absmax" in parts:
        # The scales are themselves eight bits, with scales of their own.
        size = int(info.facts["nested_blocksize"])
        outer = parts["nested_absmax"].float().repeat_interleave(size)[: absmax.numel()]
        absmax = parts["nested_quant_map"].float()[absmax.flatten().int()] * outer + info.facts["nested_offset"]
    block = int(info.facts.get("blocksize", FOUR_BIT_BLOCK))
    whole_rows = len(info.shape) == 2 and info.shape[1] % block == 0
    rows = info.shape[0] if whole_rows else 1
    aids = {"absmax": absmax.float().view(rows, -1), "table": parts["quant_map"].float()}
    return Packed(data.view(rows, -1), info.shape, FourBit(block), aids, frozenset({"absmax"}))


def scaled(info: TensorInfo, numbers: Tensor, read: Read) -> Tensor:
    """`numbers` that are stored plainly but have a scale beside them, with it applied: float32."""
    scale = read(info.beside["scale"]).float()
    return numbers.float() * (scale.view(-1, *(1,) * (numbers.ndim - 1)) if scale.numel() > 1 else scale)
