"""A UNet that other networks and pictures steer: which of them act at a call, on which rows, how strongly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from modules.checkpoints.asking import Residuals
from modules.checkpoints.bundle import ModelBundle
from modules.control.network import Maps, SteeringNetwork
from modules.control.reference import Reference, exchanging, seen_by
from modules.control.retouch import Retouch, retouched
from modules.diffusion.denoiser import Network, Predictor
from modules.diffusion.guidance import Rows, Steered
from modules.diffusion.tiled import TiledNetwork
from modules.diffusion.windows import Window


@dataclass(frozen=True)
class Steerer:
    """One network with the picture it has looked at.

    encoded: one row for all pictures, or one per picture. start, end: shares of the steps between which it acts.
    prompts_only: negative prompts do not hear of it. soft: its fine maps count less. layer_weights: instead of both.
    pooled: only the mean of each map is used, and only for prompts. region: (1, 1, H, W), where it acts.
    """

    network: SteeringNetwork
    encoded: Maps
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    prompts_only: bool = False
    soft: bool = False
    pooled: bool = False
    layer_weights: tuple[float, ...] | None = None
    region: Tensor | None = None

    def acts_at(self, share: float) -> bool:
        return self.start <= share <= self.end

    def residuals(
        self, rows: Rows, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None
    ) -> Residuals | None:
        """What it adds for `rows`, whose latents and texts are given; None for nothing."""
        some = [place for place, is_prompt in enumerate(rows.prompted) if is_prompt]
        everyone = not (self.prompts_only or self.pooled) or len(some) == len(rows.prompted)
        if everyone:
            maps = self.network.maps(self._of(rows.index), x, timestep, cross, vector)
        elif not some:
            return None
        else:
            chosen = torch.tensor(some, device=x.device)
            asked = x[chosen], timestep[chosen], cross[chosen], None if vector is None else vector[chosen]
            found = self.network.maps(self._of(rows.index[chosen]), *asked)
            maps = tuple(_spread(one, chosen, len(x)) for one in found)
        scales = self.scales(len(maps))
        return self.network.residuals(tuple(self._weighed(one, scale) for one, scale in zip(maps, scales, strict=True)))

    def scales(self, count: int) -> tuple[float, ...]:
        """The weight of each of `count` maps."""
        if self.layer_weights is not None:
            return (*self.layer_weights[:count], *[0.0] * (count - len(self.layer_weights)))
        return tuple(self.weight * soft for soft in (self.network.softness(count) if self.soft else (1.0,) * count))

    def through(self, window: Window, size: tuple[int, int]) -> Steerer:
        """The same for what shows through `window` of latents of that (height, width)."""
        region = None if self.region is None else _cropped(self.region, window, size)
        return replace(self, encoded=tuple(_cropped(one, window, size) for one in self.encoded), region=region)

    def _of(self, owners: Tensor) -> Maps:
        return tuple(one if len(one) == 1 else one[owners] for one in self.encoded)

    def _weighed(self, one: Tensor, scale: float) -> Tensor:
        one = one * scale
        if self.region is not None:
            one = one * interpolate(self.region.to(one), size=one.shape[-2:], mode="bilinear")
        return one.mean(dim=(2, 3), keepdim=True) if self.pooled else one


def _cropped(maps: Tensor, window: Window, size: tuple[int, int]) -> Tensor:
    """What shows through `window` of (…, H, W) that lies over latents of `size`, however fine it is."""
    place = [slice(None)] * (maps.dim() - 2)
    for span, length, cells in zip((window.rows, window.columns), size, maps.shape[-2:], strict=True):
        count = math.ceil((span.end - span.start) * cells / length)
        start = min(round(span.start * cells / length), cells - count)
        place.append(slice(start, start + count))
    return maps[tuple(place)]


def _spread(maps: Tensor, places: Tensor, count: int) -> Tensor:
    """Rows of `maps` at `places` of `count` rows, zeros elsewhere."""
    whole = maps.new_zeros(count, *maps.shape[1:])
    whole[places] = maps
    return whole


@dataclass(frozen=True)
class Influence:
    """All that steers a model in a pass: networks, pictures that lend their look, and what retouches its answers."""

    steerers: Sequence[Steerer] = ()
    references: Sequence[Reference] = ()
    retouches: Sequence[Retouch] = ()

    def __bool__(self) -> bool:
        return bool(self.steerers or self.references or self.retouches)

    def at(self, share: float) -> Influence:
        """What acts when that share of the steps is done. What retouches always does."""
        return replace(
            self,
            steerers=[one for one in self.steerers if one.acts_at(share)],
            references=[one for one in self.references if one.acts_at(share)],
        )


@dataclass(frozen=True)
class SteeredNetwork:
    """A Network: `bundle`'s UNet with what `steerers` add for these rows, after it has seen `references`."""

    bundle: ModelBundle
    steerers: Sequence[Steerer]
    rows: Rows
    references: Sequence[Reference] = field(default=())

    def through(self, window: Window, size: tuple[int, int]) -> SteeredNetwork:
        """See `diffusion.tiled.Placed`."""
        return replace(
            self,
            steerers=[one.through(window, size) for one in self.steerers],
            references=[one.through(window, size) for one in self.references],
        )

    def __call__(
        self, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
    ) -> Tensor:
        """See `diffusion.denoiser.Network`."""
        total: Residuals | None = None
        for one in self.steerers:
            found = one.residuals(self.rows, x, timestep, cross, vector)
            total = found if total is None else _sum(total, found)
        if not self.references:
            return self.bundle.predict(x, timestep, cross, vector, extra, total)
        with exchanging(self.references[0].places, self.rows) as exchange:
            seen_by(self.references, exchange, self.bundle, self.rows, (timestep, cross, vector, extra))
            return self.bundle.predict(x, timestep, cross, vector, extra, total)


def steered(
    predictor: Predictor, bundle: ModelBundle, influence: Influence, *, total_calls: int, calls_per_step: int
) -> Steered:
    """Who answers when `influence` steers `bundle`, which `predictor` asks when nothing of it acts."""
    steps = max(1, total_calls // calls_per_step)

    def answering(rows: Rows, call: int) -> Predictor:
        # A1111 counts a step when its first call has been answered, so the extension sees the step before.
        acting = influence.at(max(0, (call - 1) // calls_per_step) / steps)
        if not (acting.steerers or acting.references):
            return retouched(predictor, acting.retouches, rows)
        network: Network = SteeredNetwork(bundle, acting.steerers, rows, acting.references)
        if isinstance(predictor.network, TiledNetwork):
            network = replace(predictor.network, network=network)
        return retouched(replace(predictor, network=network), acting.retouches, rows)

    return answering


def _sum(one: Residuals, other: Residuals | None) -> Residuals:
    if other is None:
        return one
    middle = [part for part in (one.middle, other.middle) if part is not None]
    return Residuals(
        across=_added(one.across, other.across),
        middle=sum(middle[1:], middle[0]) if middle else None,
        within=_added(one.within, other.within),
    )


def _added(one: Maps, other: Maps) -> Maps:
    if not (one and other):
        return one or other
    return tuple(first + second for first, second in zip(one, other, strict=True))
