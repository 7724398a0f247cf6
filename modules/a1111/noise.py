"""The noise of a pass by way of `p.rng`: what an extension puts in its place, or changes in its class, counts."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from modules.diffusion.noise import ImageNoise
from modules.terms.errors import WebuiError


class ScriptNoise(ImageNoise):
    """As `noise`, but what it hands out comes from `rng`, an `ImageRNG` of A1111's or something like it."""

    def __init__(self, noise: ImageNoise, rng: Any) -> None:
        # All of its streams as they stand, for the paths of the SDE samplers, which A1111 does not ask `p.rng` for.
        vars(self).update(vars(noise))
        self._rng = rng

    def first(self) -> Tensor:
        """As `ImageNoise.first`. Raises: WebuiError for noise of another shape."""
        return self.next()

    def next(self) -> Tensor:
        """As `ImageNoise.next`. Raises: WebuiError for noise of another shape."""
        drawn: Tensor = self._rng.next()
        wanted = (len(self.seeds), *self.shape)
        if tuple(drawn.shape) != wanted:
            kind = type(self._rng)
            raise WebuiError(
                f"An extension has put {kind.__name__} of {kind.__module__} in place of p.rng, and that gave noise of "
                f"the shape {tuple(drawn.shape)} where {wanted} was asked for. Switch that extension off."
            )
        return drawn.to(self.device)
