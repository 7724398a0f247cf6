"""Sizes that do not halve evenly, as the original networks treat them.

A latent whose side is odd somewhere on the way down (96 pixels: 12, 6, 3, 2) comes back up one too large. diffusers
enlarges straight to the size wanted and convolves there; the original enlarges by two, convolves, and then drops the
surplus by nearest neighbour. Old pictures in sizes that are no multiple of 64 depend on it: the difference is up to
4/255 (52 instead of 86 dB).
"""

from __future__ import annotations

from functools import cache

from torch import Tensor, nn
from torch.nn.functional import interpolate


def enlarge_as_original(unet: nn.Module) -> None:
    """Makes every upsampler of diffusers' `unet` do as the original does. Weights and their names stay."""
    from diffusers.models.upsampling import Upsample2D

    for module in unet.modules():
        if isinstance(module, Upsample2D):
            module.__class__ = _original(Upsample2D)  # type: ignore[assignment]


@cache
def _original(base: type[nn.Module]) -> type[nn.Module]:
    class OriginalUpsample(base):  # type: ignore[misc, valid-type]
        def forward(
            self, hidden_states: Tensor, output_size: tuple[int, int] | None = None, *args: object, **kwargs: object
        ) -> Tensor:
            doubled: Tensor = super().forward(hidden_states)
            if output_size is None or doubled.shape[-2:] == output_size:
                return doubled
            return interpolate(doubled, size=output_size, mode="nearest")

    return OriginalUpsample
