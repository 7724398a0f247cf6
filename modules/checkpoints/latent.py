"""What the numbers of a latent mean: a model family's latent space is data, not code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

RGB_METADATA_KEY = "atelier.latent_rgb"


@dataclass(frozen=True)
class LatentFormat:
    """`channels` numbers per `downscale` x `downscale` pixels. The network sees `(z - shift) * scale` of the VAE's z.

    `rgb_factors`: one (red, green, blue) row per channel and `rgb_bias`: a linear guess at the picture in [-1, 1].
    Source of the factors: spec/sampling.md §16; a checkpoint may bring its own, fitted to its VAE.
    """

    channels: int
    scale: float
    shift: float = 0.0
    downscale: int = 8
    rgb_factors: tuple[tuple[float, float, float], ...] = ()
    rgb_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def to_network(self, z: Tensor) -> Tensor:
        return (z - self.shift) * self.scale

    def to_vae(self, latents: Tensor) -> Tensor:
        return latents / self.scale + self.shift

    def means_the_same(self, other: LatentFormat) -> bool:
        """Whether a network that draws in the one format can go on with latents of the other."""
        return (self.channels, self.scale, self.shift, self.downscale) == (
            other.channels,
            other.scale,
            other.shift,
            other.downscale,
        )

    def with_metadata(self, metadata: Mapping[str, str]) -> LatentFormat:
        """This format with the factors that the checkpoint's own metadata give, if it gives any that fit.

        They stand under `atelier.latent_rgb` as JSON: {"factors": one row of three per channel, "bias": three numbers},
        or the same rows and the bias as last row of a plain list.
        """
        try:
            found = json.loads(metadata.get(RGB_METADATA_KEY, "null"))
            rows = [*found["factors"], found.get("bias", [0, 0, 0])] if isinstance(found, dict) else list(found or [])
            if len(rows) == self.channels:
                rows.append([0, 0, 0])
            triples = [(float(red), float(green), float(blue)) for red, green, blue in rows]
        except (ValueError, TypeError, KeyError):
            return self
        if len(triples) != self.channels + 1:
            return self
        return replace(self, rgb_factors=tuple(triples[:-1]), rgb_bias=triples[-1])


SD1_LATENT = LatentFormat(
    channels=4,
    scale=0.18215,
    rgb_factors=(
        (0.298, 0.207, 0.208),
        (0.187, 0.286, 0.173),
        (-0.158, 0.189, 0.264),
        (-0.184, -0.271, -0.473),
    ),
)
SDXL_LATENT = LatentFormat(
    channels=4,
    scale=0.13025,
    rgb_factors=(
        (0.3448, 0.4168, 0.4395),
        (-0.1953, -0.0290, 0.0250),
        (0.1074, 0.0886, -0.0163),
        (-0.3730, -0.2499, -0.2088),
    ),
)
