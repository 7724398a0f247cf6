"""The moments of one call of guidance at which somebody else may look and change what is asked or answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Texts:
    """Texts that the network gets together. cross: (N, T, D); vector: (N, V) or None."""

    cross: Tensor
    vector: Tensor | None


@dataclass
class Asked:
    """What the network is about to be asked at call number `call` of `total`; each field may be replaced.

    Rows: every part of every picture's prompt, then each picture's negative prompt (and the third branch of pix2pix
    models). x: (N, C, H, W). sigma: (N,). timestep: (N,) where the sampler walks by it. extra: (N, c, H, W) channels
    beside the latents. parts: for each picture the rows of its prompt parts with their weights. negatives None: the
    negative prompt is left out of this call.
    """

    x: Tensor
    sigma: Tensor
    timestep: Tensor | None
    prompts: Texts
    negatives: Texts | None
    extra: Tensor | None
    parts: Sequence[Sequence[tuple[int, float]]]
    call: int
    total: int


class Moments(Protocol):
    """Called by `Guided` at every network call, in this order."""

    def asking(self, asked: Asked) -> None:
        """Before the network is asked; `asked` may be changed."""
        ...

    def answered(self, denoised: Tensor, asked: Asked) -> None:
        """After it: the rows' denoised latents (N, C, H, W), which may be changed in place."""
        ...

    def combine(self, denoised: Tensor, asked: Asked, scale: float) -> Tensor | None:
        """The rows as guided latents (B, C, H, W), if somebody else shall do this; None: classifier-free guidance."""
        ...

    def guided(self, denoised: Tensor, asked: Asked) -> Tensor:
        """What the sampler gets in place of the guided latents (B, C, H, W)."""
        ...
