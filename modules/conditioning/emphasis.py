"""The weights of a prompt, applied to what the text encoder said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from modules.terms.errors import BadRequest
from modules.terms.registry import nearest

Emphasis = Literal["Original", "No norm", "Ignore", "None"]


def emphasis_called(name: str) -> Emphasis:
    """The mode of that name. Raises: BadRequest."""
    for mode in get_args(Emphasis):
        if mode == name:
            return mode  # type: ignore[no-any-return]
    known = get_args(Emphasis)
    raise BadRequest(f"There is no emphasis mode {name!r}. Did you mean {nearest(name, known) or known[0]!r}?")


def emphasised(z: Tensor, weights: Tensor, mode: Emphasis, counts: Sequence[int] | None = None) -> Tensor:
    """`z` with each token's vector times its weight.

    "Original" then scales everything so that the mean over the whole batch is what it was; that is why the texts of one
    prompt over the steps belong into one batch. "Ignore" and "None" leave `z` as it is.

    Args:
        z: (B, T, C), one chunk of B texts. weights: (B, T).
        counts: how often each of the B texts stands for an entry of the timeline (default: once each).
    """
    if mode in ("Ignore", "None"):
        return z
    weighted = z * weights.to(z).unsqueeze(-1)
    if mode == "No norm":
        return weighted
    # The means are near 0: in float32 their ratio is known to five digits only, and changes with the order of summing.
    shares = z.new_tensor(counts or [1] * z.shape[0], dtype=torch.float64)
    before = (z.mean(dim=(1, 2), dtype=torch.float64) * shares).sum()
    after = (weighted.mean(dim=(1, 2), dtype=torch.float64) * shares).sum()
    return weighted * (before / after).to(z)
