"""IA3: rows (or columns) of the weight are stretched.

Source: Liu et al. (2022), arXiv:2205.05638.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.networks.kind import Adapter, NetworkKind, Tensors, has

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Ia3(Adapter):
    """stretch: one number per output channel, or per input channel if `on_input`; 0 changes nothing."""

    stretch: Tensor
    on_input: bool

    depends_on_weight = True

    @property
    def shape(self) -> None:
        return None

    def fits(self, shape: Sequence[int]) -> bool:
        return len(shape) > 1 and self.stretch.numel() == shape[1 if self.on_input else 0]

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        stretch = self.stretch.to(weight).flatten()
        places = [1] * weight.ndim
        places[1 if self.on_input else 0] = -1
        return weight * stretch.view(places)


def read(tensors: Tensors) -> Ia3:
    return Ia3(tensors["weight"], bool(tensors["on_input"].item()))


KIND = NetworkKind("IA3", has("weight", "on_input"), read, frozenset({"weight", "on_input"}))
