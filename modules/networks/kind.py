"""What one kind of network is: how its tensors are recognised, and what they add to a weight."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Tensors = Mapping[str, "Tensor"]
"""Everything that a file says of one module, by the canonical end of the key ("lora_up.weight", "alpha")."""


class Adapter(ABC):
    """What a file says of one module in the form of one kind; it adds something to the module's weight."""

    depends_on_weight = False
    """Whether `delta` reads the weight; if not, several adapters add up in any order."""

    @property
    def rank(self) -> int | None:
        """What alpha is divided by; None for kinds that are not scaled."""
        return None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...] | None:
        """The shape of its delta; None if that is the weight's, whatever it is."""

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether `delta` can be given a weight of `shape`. A 1x1 convolution and a matrix are the same."""
        own = self.shape
        return own is None or (own[0] == shape[0] and math.prod(own) == math.prod(shape))

    @abstractmethod
    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        """What is added to `weight`, before alpha, DoRA and multipliers.

        Args:
            weight: float32, on the device where the delta is wanted; its numbers count only if `depends_on_weight`.
            rank: use the first ranks only, for kinds that can.
        Returns: float32, as many numbers as the weight has, of any shape.
        """

    def factors(self, rank: int | None = None) -> tuple[Tensor, Tensor] | None:
        """(O, r) and (r, I) whose product is the delta as a matrix, for kinds of low rank; else None."""
        return None

    @property
    def bias(self) -> Tensor | None:
        """What is added to the module's bias, before multipliers."""
        return None


@dataclass(frozen=True)
class NetworkKind:
    """recognise: whether a module's keys are of this kind. read: the adapter; it keeps the tensors as they are stored.

    `read` raises KeyError, ValueError or RuntimeError if the tensors contradict each other.
    ends: the keys that it reads; others of the module are told to be unused, but for those that all kinds have.
    """

    name: str
    recognise: Callable[[frozenset[str]], bool]
    read: Callable[[Tensors], Adapter]
    ends: frozenset[str]


def has(*keys: str) -> Callable[[frozenset[str]], bool]:
    """Recognises modules that have all of these keys."""
    wanted = frozenset(keys)
    return lambda found: wanted <= found


def has_any_group(*groups: tuple[str, ...]) -> Callable[[frozenset[str]], bool]:
    """Recognises modules that have all keys of at least one of these groups."""
    wanted = [frozenset(group) for group in groups]
    return lambda found: any(group <= found for group in wanted)


def tucker(core: Tensor, outer: Tensor, inner: Tensor) -> Tensor:
    """A convolution's delta from its Tucker factors.

    Args:
        core: (r, s, kh, kw). outer: (r, O). inner: (s, I).
    Returns: (O, I, kh, kw).
    """
    import torch

    return torch.einsum("r s k l, r o, s i -> o i k l", core, outer, inner)
