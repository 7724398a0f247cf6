"""How the answers of several text encoders become what the network is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Heard(NamedTuple):
    """What one encoder says of some texts, weights applied: (texts, T, C), and (texts, P) if it has a pooled vector."""

    z: Tensor
    pooled: Tensor | None


class Joined(NamedTuple):
    """What the network is given: (texts, T, D) and (texts, V) or None."""

    cross: Tensor
    vector: Tensor | None


Join = Callable[[Mapping[str, Heard]], Joined]
"""`join(answers by the encoder's name)`; the names are in the order of the model's encoders."""


def side_by_side(answers: Mapping[str, Heard]) -> Joined:
    """The answers beside each other, token by token, and the pooled vectors one after the other (SD 1, SD 2, SDXL)."""
    import torch

    vectors = [heard.pooled for heard in answers.values() if heard.pooled is not None]
    return Joined(
        torch.cat([heard.z for heard in answers.values()], dim=-1), torch.cat(vectors, dim=-1) if vectors else None
    )
