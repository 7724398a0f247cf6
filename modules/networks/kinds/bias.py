"""A difference of the bias alone: LoRAs that were extracted bring such beside their low-rank modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.networks.kind import Adapter, NetworkKind

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Bias(Adapter):
    difference: Tensor

    @property
    def shape(self) -> None:
        return None

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        return weight.new_zeros(weight.shape)

    @property
    def bias(self) -> Tensor | None:
        return self.difference


KIND = NetworkKind(
    "bias", lambda ends: ends == {"diff_b"}, lambda tensors: Bias(tensors["diff_b"]), frozenset({"diff_b"})
)
