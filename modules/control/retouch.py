"""What units do to the denoised latents of every call: keep a picture outside a mask, or keep its colours.

Source: the ControlNet extension (inpaint_only, tile_colorfix), which does the same to what the network predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from modules.diffusion.denoiser import Predictor
from modules.diffusion.guidance import Rows

# "Sharpness" counts in hundredths.
SHARPENING = 0.01


class Retouch(Protocol):
    def __call__(self, denoised: Tensor, rows: Rows) -> Tensor:
        """Changed latents (N, C, h, w) of `rows`."""
        ...


@dataclass(frozen=True)
class Kept:
    """`latents` (1 or B, C, h, w) stay where `paint` (1 or B, 1, h, w) is 0, by a share `strength`."""

    latents: Tensor
    paint: Tensor
    strength: float = 1.0

    def __call__(self, denoised: Tensor, rows: Rows) -> Tensor:
        paint, kept = of_rows(self.paint, rows), of_rows(self.latents, rows)
        return torch.lerp(denoised, denoised * paint + kept * (1 - paint), self.strength)


@dataclass(frozen=True)
class Recoloured:
    """The colours of `latents` (1 or B, C, h, w) under details of its own, by a share `strength`.

    radius: how large a detail may be, in latents. sharpness: 0 to 2, how much negative prompts are blurred, so that
    details stand out.
    """

    latents: Tensor
    radius: int
    strength: float = 1.0
    sharpness: float = 0.0

    def __call__(self, denoised: Tensor, rows: Rows) -> Tensor:
        changed = denoised - blurred(denoised, self.radius) + blurred(of_rows(self.latents, rows), self.radius)
        negatives = [place for place, prompted in enumerate(rows.prompted) if not prompted]
        if self.sharpness and negatives:
            soft = changed[negatives]
            changed[negatives] = torch.lerp(soft, blurred(soft, self.radius), self.sharpness * SHARPENING)
        return torch.lerp(denoised, changed, self.strength)


def of_rows(one: Tensor, rows: Rows) -> Tensor:
    """What belongs to each row of `one`, which has a row for all pictures or one for each."""
    return one if len(one) == 1 else one[rows.index]


def blurred(x: Tensor, radius: int) -> Tensor:
    """The mean of what lies up to `radius` around, with the edges continued."""
    edges = pad(x, (radius,) * 4, mode="replicate")
    return avg_pool2d(edges, radius * 2 + 1, stride=1)


@dataclass(frozen=True)
class RetouchedPredictor(Predictor):
    """A Predictor whose answers for `rows` are retouched."""

    retouches: Sequence[Retouch] = ()
    rows: Rows | None = None

    def __call__(
        self,
        x: Tensor,
        sigma: Tensor,
        cross: Tensor,
        vector: Tensor | None = None,
        extra: Tensor | None = None,
        *,
        timestep: Tensor | None = None,
    ) -> Tensor:
        denoised = super().__call__(x, sigma, cross, vector, extra, timestep=timestep)
        if self.rows is not None:
            for retouch in self.retouches:
                denoised = retouch(denoised, self.rows)
        return denoised


def retouched(predictor: Predictor, retouches: Sequence[Retouch], rows: Rows) -> Predictor:
    """`predictor` with `retouches` after it."""
    if not retouches:
        return predictor
    return RetouchedPredictor(
        predictor.network, predictor.prediction, predictor.levels, predictor.quantize, retouches, rows
    )
