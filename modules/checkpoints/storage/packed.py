"""A weight as its file stores it, and the numbers that it means.

Packed weights stay packed in memory and are unpacked layer by layer: a 12 billion parameter network takes 7 GB in
four bits, of which one layer at a time is unpacked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor

from modules.terms.errors import UnknownFile

FOUR_BIT_BLOCK = 64


class Packing(Protocol):
    """How numbers are written as bytes."""

    @property
    def elementwise(self) -> bool:
        """Whether each number is written by itself, so that any shape can be kept packed."""

    def unpack(self, data: Tensor, aids: Mapping[str, Tensor], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """The numbers of `shape` in `dtype`, on the device of `data`."""


@dataclass(frozen=True)
class Packed:
    """A weight in packed form.

    data: int8, each row of the matrix a row of bytes; in the weight's own shape if the packing is elementwise.
    aids: what unpacking needs besides, either one row per row of the matrix (`by_row`) or the same for all.
    """

    data: Tensor
    shape: tuple[int, ...]
    packing: Packing
    aids: Mapping[str, Tensor] = field(default_factory=dict)
    by_row: frozenset[str] = frozenset()

    def unpacked(self, dtype: torch.dtype = torch.float32) -> Tensor:
        return self.packing.unpack(self.data, self.aids, self.shape, dtype)

    def with_rows(self, rows: Tensor) -> Packed:
        """The same weight with only the rows numbered in `rows`, in that order; no copy if they follow each other."""
        index = _slice_of(rows)
        return replace(
            self,
            data=self.data[index],
            shape=(len(rows), *self.shape[1:]),
            aids={name: value[index] if name in self.by_row else value for name, value in self.aids.items()},
        )

    def to(self, device: torch.device) -> Packed:
        return replace(
            self, data=self.data.to(device), aids={name: value.to(device) for name, value in self.aids.items()}
        )

    @property
    def nbytes(self) -> int:
        return self.data.nbytes + sum(value.nbytes for value in self.aids.values())


def _slice_of(rows: Tensor) -> Any:
    first = int(rows[0])
    follows = torch.equal(rows, torch.arange(first, first + len(rows)))
    return slice(first, first + len(rows)) if follows else rows


@dataclass(frozen=True)
class Float8:
    """Eight-bit floating point, multiplied with "scale" (one number, or one per row) if there is one."""

    stored: torch.dtype
    elementwise: bool = True

    def unpack(self, data: Tensor, aids: Mapping[str, Tensor], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        numbers = data.view(self.stored).to(dtype).view(shape)
        scale = aids.get("scale")
        if scale is None:
            return numbers
        return (
            numbers * scale.to(dtype).view(-1, *(1,) * (len(shape) - 1))
            if scale.numel() > 1
            else numbers * scale.to(dtype)
        )


@dataclass(frozen=True)
class Ggml:
    """Blocks of 32 or 256 numbers with scales between them, as llama.cpp writes them; `name` is "Q4_K", "Q8_0" …"""

    name: str
    elementwise: bool = False

    def unpack(self, data: Tensor, aids: Mapping[str, Tensor], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        unpack, block, size = _ggml(self.name)
        # Scales are written in float16: computing in it loses nothing that the four to eight bits have.
        work = torch.float32 if dtype == torch.float32 else torch.float16
        blocks = data.reshape(-1, size).view(torch.uint8)
        return unpack(blocks, block, size, work).reshape(shape).to(dtype)


@lru_cache(maxsize=32)
def _ggml(name: str) -> tuple[Callable[..., Tensor], int, int]:
    """How to unpack blocks of that type; numbers per block; bytes per block. Raises: UnknownFile."""
    from diffusers.quantizers.gguf.utils import dequantize_functions
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    kind = GGMLQuantizationType[name]
    if kind not in dequantize_functions:
        known = ", ".join(sorted(one.name for one in dequantize_functions))
        raise UnknownFile(f"The GGUF type {name} cannot be unpacked here. Choose a file in one of {known}.")
    block, size = GGML_QUANT_SIZES[kind]
    return dequantize_functions[kind], block, size


@dataclass(frozen=True)
class FourBit:
    """bitsandbytes' nf4 and fp4: two numbers a byte (the first in the upper half), each a place in "table", times
    "absmax" of its block.

    Source: bitsandbytes, functional.dequantize_4bit.
    """

    block: int = FOUR_BIT_BLOCK
    elementwise: bool = False

    def unpack(self, data: Tensor, aids: Mapping[str, Tensor], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        both = data.view(torch.uint8).reshape(-1)
        places = torch.stack([both >> 4, both & 15], dim=1).view(-1).int()
        table, absmax = aids["table"].to(dtype), aids["absmax"].reshape(-1, 1).to(dtype)
        numbers = table[places]
        if numbers.numel() % self.block:
            missing = self.block - numbers.numel() % self.block
            numbers = torch.nn.functional.pad(numbers, (0, missing))
        count = torch.Size(shape).numel()
        return (numbers.view(-1, self.block) * absmax).view(-1)[:count].view(shape)
