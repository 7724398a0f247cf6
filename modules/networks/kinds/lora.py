"""LoRA, and LoCon for convolutions: the delta is a product of two thin matrices.

Source: Hu et al. (2021), arXiv:2106.09685; Yeh et al. (2023), arXiv:2309.14859.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.networks.kind import Adapter, NetworkKind, Tensors, has, tucker

if TYPE_CHECKING:
    from torch import Tensor

UP, DOWN, MID = "lora_up.weight", "lora_down.weight", "lora_mid.weight"


@dataclass(frozen=True, eq=False)
class Lora(Adapter):
    """up: (O, r, …), down: (r, I, …); mid: (r, r, kh, kw), the core between them if the delta is a Tucker product."""

    up: Tensor
    down: Tensor
    mid: Tensor | None = None

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        kernel = self.down.shape[2:] if self.mid is None else self.mid.shape[2:]
        return (self.up.shape[0], self.down.shape[1], *kernel)

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        if self.mid is not None:
            return tucker(self.mid.to(weight), self.up.flatten(1).t().to(weight), self.down.flatten(1).to(weight))
        up, down = self._matrices(rank)
        return (up.to(weight) @ down.to(weight)).view(self.shape)

    def factors(self, rank: int | None = None) -> tuple[Tensor, Tensor] | None:
        return None if self.mid is not None else self._matrices(rank)

    def _matrices(self, rank: int | None) -> tuple[Tensor, Tensor]:
        up, down = self.up.flatten(1), self.down.flatten(1)
        return (up[:, :rank], down[:rank]) if rank else (up, down)


def read(tensors: Tensors) -> Lora:
    up, down, mid = tensors[UP], tensors[DOWN], tensors.get(MID)
    if up.shape[1] != (down if mid is None else mid).shape[0]:
        raise ValueError(f"ranks {up.shape[1]} and {down.shape[0]} do not match")
    return Lora(up, down, mid)


KIND = NetworkKind("LoRA", has(UP, DOWN), read, frozenset({UP, DOWN, MID}))
