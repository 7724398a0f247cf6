"""The difference of a normalisation's scale and shift."""

from __future__ import annotations

from modules.networks.kind import NetworkKind, has
from modules.networks.kinds.full import Full

ENDS = frozenset({"w_norm", "b_norm"})
KIND = NetworkKind("norm", has("w_norm"), lambda tensors: Full(tensors["w_norm"], tensors.get("b_norm")), ENDS)
