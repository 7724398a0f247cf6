"""Keeps what a mask keeps, at every call of the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from modules.diffusion.denoiser import Denoiser

Blend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`blend(kept, painted, level)`: what stands where; (B, C, H, W) twice; (B,): sigma, with `before` the timestep."""


@dataclass
class Inpainted:
    """A Denoiser that paints where `mask` is 1 and keeps `source` where it is 0.

    Args:
        source: (B, C, H, W) clean latents. mask: broadcastable to them, 0 to 1.
        before: put the source into the noisy latents before the call instead of into the denoised ones after it. The
            timestep family does this in A1111, and puts it in without noise.
        blend: another way to mix than by the mask (soft inpainting).
    """

    inner: Denoiser
    source: Tensor
    mask: Tensor
    before: bool = False
    blend: Blend | None = None
    uncond: Tensor | None = None

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        """See `Denoiser`. `uncond` is blended as the result is."""
        if not self.before:
            denoised = self.inner(x, sigma, timestep=timestep)
            negative = self._negative()
            self.uncond = None if negative is None else self._blended(self.source, negative, sigma)
            return self._blended(self.source, denoised, sigma)
        # The source goes in at unit variance, where these samplers live: there x is smaller by this factor.
        size = (sigma**2 + 1).sqrt().view(-1, 1, 1, 1)
        shown = self._blended(self.source * size, x, sigma if timestep is None else timestep)
        denoised = self.inner(shown, sigma, timestep=timestep)
        # The sampler goes on from its own x; (x - result) / sigma must be the noise that the network named.
        shift = x - shown
        negative = self._negative()
        self.uncond = None if negative is None else negative + shift
        return denoised + shift

    def _blended(self, kept: Tensor, painted: Tensor, level: Tensor) -> Tensor:
        if self.blend is not None:
            return self.blend(kept, painted, level)
        return painted * self.mask + kept * (1 - self.mask)

    def _negative(self) -> Tensor | None:
        negative = getattr(self.inner, "uncond", None)
        return negative if isinstance(negative, Tensor) else None
