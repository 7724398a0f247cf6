"""GLoRA: a product of low rank, plus the weight times another.

Source: Chavan et al. (2023), arXiv:2306.07967, as LyCORIS stores it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.networks.kind import Adapter, NetworkKind, Tensors, has

if TYPE_CHECKING:
    from torch import Tensor

KEYS = ("a1.weight", "a2.weight", "b1.weight", "b2.weight")


@dataclass(frozen=True, eq=False)
class Glora(Adapter):
    """a2 (I, r) a1 (r, I) is what the weight is multiplied by, b2 (O, r) b1 (r, I) is added."""

    a1: Tensor
    a2: Tensor
    b1: Tensor
    b2: Tensor

    depends_on_weight = True

    @property
    def shape(self) -> tuple[int, ...]:
        return self.b2.shape[0], self.b1.shape[1]

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        a1, a2, b1, b2 = (tensor.to(weight) for tensor in (self.a1, self.a2, self.b1, self.b2))
        return b2 @ b1 + (weight.flatten(1) @ a2) @ a1


def read(tensors: Tensors) -> Glora:
    a1, a2, b1, b2 = (tensors[key].flatten(1) for key in KEYS)
    if not (a1.shape[1] == a2.shape[0] == b1.shape[1] and a1.shape[0] == a2.shape[1] and b1.shape[0] == b2.shape[1]):
        raise ValueError("its four matrices do not fit together")
    return Glora(a1, a2, b1, b2)


KIND = NetworkKind("GLoRA", has(*KEYS), read, frozenset(KEYS))
