"""Deltas of several networks put into one weight, in one pass over its memory where they allow it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from modules.networks.names import Place
from modules.networks.network import ModuleDelta

if TYPE_CHECKING:
    from torch import Tensor

Target = Literal["weight", "bias"]


@dataclass(frozen=True, eq=False)
class Contribution:
    """What one network gives to one weight or bias. `identity` is the same only for the same numbers."""

    identity: Hashable
    delta: ModuleDelta
    place: Place
    multiplier: float
    rank: int | None = None

    @property
    def signature(self) -> Hashable:
        return self.identity, self.multiplier, self.rank

    def thin(self) -> tuple[Tensor, Tensor] | None:
        """(O, r) and (r, I) whose product times `strength` is what this gives to the weight; None if it has none."""
        factors = self.delta.factors(self.rank)
        if factors is None:
            return None
        up, down = factors
        if self.place.rows is not None:
            up = up[slice(*self.place.rows)]
        return up, _as_wide(down, self.place)

    def bias(self) -> Tensor | None:
        """What this gives to the bias, before its multiplier; None if nothing."""
        bias = self.delta.bias
        return bias if bias is None or self.place.rows is None else bias.flatten()[slice(*self.place.rows)]

    @property
    def strength(self) -> float:
        return self.delta.scale * self.multiplier

    def whole(self, weight: Tensor) -> Tensor:
        """What this gives to `weight` (float32), in its shape."""
        delta = self.delta.delta(weight, self.rank) * self.multiplier
        if delta.numel() != weight.numel():
            rows = delta.flatten(1)
            if self.place.rows is not None:
                rows = rows[slice(*self.place.rows)]
            delta = _as_wide(rows, self.place)
        return delta.reshape(weight.shape)


def _as_wide(rows: Tensor, place: Place) -> Tensor:
    """`rows` (n, …) filled up with zeros to the columns of the weight: a network made for the plain model does nothing
    to the inputs that an inpainting model has in addition, nor to the part of a joined layer that it does not know."""
    import torch

    columns = 1
    for side in place.shape[1:]:
        columns *= side
    missing = columns - rows.shape[1]
    return rows if missing == 0 else torch.nn.functional.pad(rows, (0, missing))


def ordered(contributions: Sequence[Contribution]) -> tuple[Contribution, ...]:
    """The order in which `contributions` are merged. Those that read the weight see what stands before them, as in
    A1111; others add up in an order of their own, so that a set gives the same bits in whatever order it is named."""
    if any(one.delta.depends_on_weight for one in contributions):
        return tuple(contributions)
    return tuple(sorted(contributions, key=lambda one: repr(one.signature)))


def merge(weight: Tensor, contributions: Sequence[Contribution]) -> None:
    """Adds `contributions` to `weight` (float32, contiguous), in place and in this order."""
    for is_thin, some in groupby(contributions, key=lambda one: one.thin() is not None):
        if is_thin:
            _add_products(weight, some)
        else:
            for one in some:
                weight += one.whole(weight)


def _add_products(weight: Tensor, contributions: Iterable[Contribution]) -> None:
    """One product of matrices for all: the weight passes through memory once."""
    import torch

    pairs = [(one.thin(), one.strength) for one in contributions]
    ups = [(pair[0].to(weight), strength) for pair, strength in pairs if pair]
    downs = [pair[1].to(weight) for pair, _ in pairs if pair]
    matrix = weight.view(weight.shape[0], -1)
    if len(ups) == 1:
        matrix.addmm_(ups[0][0], downs[0], alpha=ups[0][1])
    else:
        matrix.addmm_(torch.cat([up * strength for up, strength in ups], dim=1), torch.cat(downs))


def merge_bias(bias: Tensor, contributions: Sequence[Contribution]) -> None:
    """Adds `contributions` to `bias` (float32), in place."""
    for one in contributions:
        given = one.bias()
        if given is not None:
            bias += given.to(bias).view(bias.shape) * one.multiplier
