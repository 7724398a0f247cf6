"""Full: the difference itself, for the weight and, if it has one, the bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.networks.kind import Adapter, NetworkKind, has

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Full(Adapter):
    difference: Tensor
    bias_difference: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.difference.shape)

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        return self.difference.to(weight)

    @property
    def bias(self) -> Tensor | None:
        return self.bias_difference


KIND = NetworkKind(
    "full", has("diff"), lambda tensors: Full(tensors["diff"], tensors.get("diff_b")), frozenset({"diff", "diff_b"})
)
