"""One random stream for every picture, so that a picture does not depend on its neighbours in the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from modules.diffusion.brownian import BrownianNoise
from modules.diffusion.philox import PhiloxGenerator

NoiseSource = Literal["CPU", "GPU", "NV"]
Shape = tuple[int, int, int]

# Where the noise of a variation has turned so little that the sphere's formula would divide by nothing.
NEARLY_PARALLEL = 0.9995


class Stream(Protocol):
    """A source of standard normal numbers that goes on where it left off."""

    def randn(self, shape: tuple[int, ...]) -> Tensor: ...


class TorchStream:
    """torch's own generator on `device`."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.generator = torch.Generator(device).manual_seed(seed)

    def randn(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.generator.device)


def stream(source: NoiseSource, seed: int, device: torch.device) -> Stream:
    """A fresh stream. "GPU" draws on `device` itself (on the CPU for Apple's mps, whose numbers are not repeatable)."""
    if source == "NV":
        return PhiloxGenerator(seed)
    return TorchStream(seed, torch.device("cpu") if source == "CPU" or device.type == "mps" else device)


def slerp(strength: float, low: Tensor, high: Tensor) -> Tensor:
    """Turns `low` towards `high` (C, H, W) by `strength`, 0 to 1, along the sphere.

    Lengths and angles are taken along the height, and noises that are nearly parallel are mixed with their weights the
    wrong way round: A1111 does both, and every variation seed depends on it.
    """
    cosine = (low / low.norm(dim=1, keepdim=True) * (high / high.norm(dim=1, keepdim=True))).sum(1)
    if cosine.mean() > NEARLY_PARALLEL:
        return low * strength + high * (1 - strength)
    angle = torch.acos(cosine)
    sine = torch.sin(angle)
    return (torch.sin((1.0 - strength) * angle) / sine).unsqueeze(1) * low + (
        torch.sin(strength * angle) / sine
    ).unsqueeze(1) * high


def pasted_centre(small: Tensor, onto: Tensor) -> Tensor:
    """`onto` with `small` (both (C, H, W)) over its centre; a larger `small` is cropped."""
    result = onto.clone()
    target, source = [], []
    for have, want in zip(small.shape[1:], onto.shape[1:], strict=True):
        # Floor division of a negative number rounds away from zero, as A1111's does.
        shift = (want - have) // 2
        length = have if shift >= 0 else have + 2 * shift
        target.append(slice(max(shift, 0), max(shift, 0) + length))
        source.append(slice(max(-shift, 0), max(-shift, 0) + length))
    result[:, target[0], target[1]] = small[:, source[0], source[1]]
    return result


@dataclass(frozen=True)
class Variation:
    """A second seed for each picture, and how far its noise is turned towards it (0 to 1)."""

    seeds: tuple[int, ...]
    strength: float


class ImageNoise:
    """The noise of one batch in one pass.

    Args:
        shape: of one latent (C, H, W). seeds: one per picture.
        source: whose random numbers; see `stream`. device: where the noise is wanted.
        variation: second seeds. resize_from: latent size (H, W) at which the seeds are to look as they did.
        eta_seed_delta: added to the seeds for all noise after the first ("ENSD").
    """

    def __init__(
        self,
        shape: Shape,
        seeds: Sequence[int],
        *,
        source: NoiseSource = "CPU",
        device: torch.device | str = "cpu",
        variation: Variation | None = None,
        resize_from: tuple[int, int] | None = None,
        eta_seed_delta: int = 0,
    ) -> None:
        self.shape = shape
        self.seeds = tuple(seeds)
        self.source = source
        self.device = torch.device(device)
        self.variation = variation if variation and variation.strength != 0 else None
        self.resize_from = resize_from
        self.eta_seed_delta = eta_seed_delta
        self._streams = [self._stream(seed) for seed in self.seeds]
        self._drawn = False

    def _stream(self, seed: int) -> Stream:
        return stream(self.source, seed, self.device)

    def _seeded(self, seed: int, shape: tuple[int, ...]) -> Tensor:
        return self._stream(seed).randn(shape).to(self.device)

    def first(self) -> Tensor:
        """The noise that the latents start from, (B, C, H, W). To be drawn once, before `next`."""
        noise = torch.stack([self._start(position) for position in range(len(self.seeds))])
        if self.eta_seed_delta:
            self._streams = [self._stream(seed + self.eta_seed_delta) for seed in self.seeds]
        return noise

    def _start(self, position: int) -> Tensor:
        seed, shape = self.seeds[position], self.shape
        small = (shape[0], *self.resize_from) if self.resize_from else shape
        own = self._streams[position]
        noise = own.randn(shape).to(self.device) if small == shape else self._seeded(seed, small)
        if self.variation:
            subseed = self.variation.seeds[position] if position < len(self.variation.seeds) else 0
            noise = slerp(self.variation.strength, noise, self._seeded(subseed, small))
        if small != shape:
            noise = pasted_centre(noise, own.randn(shape).to(self.device))
        return noise

    def next(self) -> Tensor:
        """The next noise of every picture, (B, C, H, W)."""
        return torch.stack([one.randn(self.shape).to(self.device) for one in self._streams])

    def brownian(self, sigma_min: float, sigma_max: float, *, shared: bool = False) -> Callable[[float, float], Tensor]:
        """Unit noise for SDE samplers: `noise(sigma, sigma_next)` -> (B, C, H, W). ENSD has no part in it.

        The bounds are those of the whole schedule, also where a picture is the start and only its end is walked.
        `shared` takes one path for the whole batch, as A1111 did before 1.4 and does with
        no_dpmpp_sde_batch_determinism: then the pictures depend on the size of the batch.
        """
        if shared:
            entropy = int(torch.randint(2**63 - 1, [], generator=torch.Generator().manual_seed(self.seeds[-1])))
            batch = (len(self.seeds), *self.shape)
            together = BrownianNoise([entropy], sigma_min, sigma_max, lambda seed: self._seeded(seed, batch))
            return lambda sigma, sigma_next: together(sigma, sigma_next)[0]
        return BrownianNoise(self.seeds, sigma_min, sigma_max, lambda seed: self._seeded(seed, self.shape))
