"""LoKr: the delta is the Kronecker product of a small matrix and a larger one, either of which may be of low rank.

Source: Yeh et al. (2023), arXiv:2309.14859.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.networks.kind import Adapter, NetworkKind, Tensors, tucker

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Factor:
    """Either `whole`; or a (O, r) times b (r, I, …); or with a core (r, r, kh, kw) a Tucker product, a being (r, O)."""

    whole: Tensor | None = None
    a: Tensor | None = None
    b: Tensor | None = None
    core: Tensor | None = None

    @property
    def rank(self) -> int | None:
        return None if self.b is None else self.b.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        if self.whole is not None:
            return tuple(self.whole.shape)
        assert self.a is not None and self.b is not None
        if self.core is not None:
            return (self.a.shape[1], self.b.shape[1], *self.core.shape[2:])
        return (self.a.shape[0], *self.b.shape[1:])

    def full(self, like: Tensor) -> Tensor:
        if self.whole is not None:
            return self.whole.to(like)
        assert self.a is not None and self.b is not None
        a, b = self.a.to(like), self.b.to(like)
        return (a @ b.flatten(1)).view(self.shape) if self.core is None else tucker(self.core.to(like), a, b)


@dataclass(frozen=True, eq=False)
class Lokr(Adapter):
    first: Factor
    second: Factor

    @property
    def rank(self) -> int | None:
        return self.second.rank or self.first.rank

    @property
    def shape(self) -> tuple[int, ...]:
        first, second = self.first.shape, self.second.shape
        return (first[0] * second[0], first[1] * second[1], *second[2:])

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        import torch

        first, second = self.first.full(weight), self.second.full(weight)
        return torch.kron(first.view(*first.shape, *[1] * (second.ndim - 2)), second.contiguous())


def recognise(keys: frozenset[str]) -> bool:
    return all(f"lokr_w{n}" in keys or {f"lokr_w{n}_a", f"lokr_w{n}_b"} <= keys for n in (1, 2))


def read(tensors: Tensors) -> Lokr:
    first = Factor(tensors.get("lokr_w1"), tensors.get("lokr_w1_a"), tensors.get("lokr_w1_b"))
    second = Factor(tensors.get("lokr_w2"), tensors.get("lokr_w2_a"), tensors.get("lokr_w2_b"), tensors.get("lokr_t2"))
    return Lokr(first, second)


ENDS = frozenset({*(f"lokr_w{n}{part}" for n in (1, 2) for part in ("", "_a", "_b")), "lokr_t2"})
KIND = NetworkKind("LoKr", recognise, read, ENDS)
