"""LoHa: the delta is the product, number by number, of two matrices of low rank.

Source: Hyeon-Woo et al. (2021), arXiv:2108.06098; Yeh et al. (2023), arXiv:2309.14859.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.networks.kind import Adapter, NetworkKind, Tensors, has, tucker

if TYPE_CHECKING:
    from torch import Tensor


MATRICES = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")


@dataclass(frozen=True, eq=False)
class Half:
    """One of the two factors: a (O, r), b (r, I, …); with a core (r, r, kh, kw), a is (r, O)."""

    a: Tensor
    b: Tensor
    core: Tensor | None

    @property
    def shape(self) -> tuple[int, ...]:
        if self.core is not None:
            return (self.a.shape[1], self.b.shape[1], *self.core.shape[2:])
        return (self.a.shape[0], *self.b.shape[1:])

    def full(self, like: Tensor) -> Tensor:
        """The factor in the shape of the delta."""
        a, b = self.a.to(like), self.b.to(like)
        return (a @ b.flatten(1)).view(self.shape) if self.core is None else tucker(self.core.to(like), a, b)


@dataclass(frozen=True, eq=False)
class Loha(Adapter):
    first: Half
    second: Half

    @property
    def rank(self) -> int:
        return self.first.b.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.first.shape

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        return self.first.full(weight) * self.second.full(weight)


def read(tensors: Tensors) -> Loha:
    halves = [
        Half(tensors[f"hada_w{place}_a"], tensors[f"hada_w{place}_b"], tensors.get(f"hada_t{place}"))
        for place in (1, 2)
    ]
    if halves[0].shape != halves[1].shape:
        raise ValueError(f"factors of shapes {halves[0].shape} and {halves[1].shape} do not match")
    return Loha(*halves)


KIND = NetworkKind("LoHa", has(*MATRICES), read, frozenset({*MATRICES, "hada_t1", "hada_t2"}))
