"""What the header of a model file says of one tensor, whatever the format of the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

DTYPE_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "U16": 2, "U32": 4, "U64": 8, "BOOL": 1,
}  # fmt: skip
TORCH_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64", "BOOL": "bool",
}  # fmt: skip
FLOAT8 = ("F8_E4M3", "F8_E5M2")
FOUR_BIT = ("NF4", "FP4")


@dataclass(frozen=True)
class TensorInfo:
    """One tensor. `begin`, `end`: bytes in the file; both 0 where the format does not tell.

    dtype: as safetensors names it, or how the numbers are packed: "Q4_K" … (GGUF), "NF4", "FP4" (bitsandbytes).
    shape: of the numbers that are meant, not of the bytes. beside: other tensors that the numbers are made with, by
    what they are for ("scale", "absmax" …). facts: what else unpacking needs to know. file: in a model that is a
    folder.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int = 0
    end: int = 0
    beside: Mapping[str, TensorInfo] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    file: str = ""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        if self.dtype in DTYPE_BYTES:
            return self.elements * DTYPE_BYTES[self.dtype]
        return (self.end - self.begin) or self.elements * 4

    @property
    def packed(self) -> bool:
        """Whether layers keep it in fewer bits than they compute in."""
        return self.dtype in FLOAT8 or self.dtype not in DTYPE_BYTES

    @property
    def plain(self) -> bool:
        """Whether the bytes are the numbers."""
        return self.dtype in DTYPE_BYTES and not self.beside

    def bytes_in(self, itemsize: int) -> int:
        """Bytes in memory where plain numbers take `itemsize` each."""
        return self.nbytes if self.packed else self.elements * itemsize
