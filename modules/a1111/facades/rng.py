"""The noise that pictures begin with, under A1111's names."""

from __future__ import annotations

import torch

from modules import devices, shared
from modules.a1111.missing import refusing
from modules.diffusion.noise import ImageNoise, Variation, slerp, stream  # noqa: F401


def randn(seed, shape, generator=None):
    """Unit noise of a seed, by the settings' source of numbers."""
    return stream(shared.opts.randn_source, int(seed), devices.device).randn(tuple(shape)).to(devices.device)


def randn_local(seed, shape):
    return randn(seed, shape)


def randn_like(x):
    return torch.randn(x.shape, device="cpu").to(x)


def randn_without_seed(shape, generator=None):
    if generator is not None:
        return torch.randn(shape, generator=generator, device=generator.device).to(devices.device)
    return torch.randn(shape).to(devices.device)


def create_generator(seed):
    return torch.Generator("cpu").manual_seed(int(seed))


class ImageRNG:
    """The noise of a batch: `first()` to begin with, `next()` for every noise after that; each (B, C, h, w)."""

    def __init__(self, shape, seeds, subseeds=None, subseed_strength=0.0, seed_resize_from_h=0, seed_resize_from_w=0):
        self.shape = tuple(map(int, shape))
        self.seeds = seeds
        self.subseeds = subseeds
        self.subseed_strength = subseed_strength
        self.seed_resize_from_h = seed_resize_from_h
        self.seed_resize_from_w = seed_resize_from_w
        self.is_first = True
        variation = Variation(tuple(subseeds or ()), subseed_strength) if subseed_strength else None
        resize = (seed_resize_from_h // 8, seed_resize_from_w // 8)
        self._noise = ImageNoise(
            self.shape,
            [int(seed) for seed in seeds],
            source=shared.opts.randn_source,
            device=devices.device,
            variation=variation,
            resize_from=resize if min(seed_resize_from_h, seed_resize_from_w) > 0 else None,
            eta_seed_delta=int(shared.opts.eta_noise_seed_delta),
        )

    def follow(self, noise):
        """From now on it draws what `noise`, an ImageNoise, does."""
        self._noise = noise

    def first(self):
        self.is_first = False
        return self._noise.first()

    def next(self):
        return self.first() if self.is_first else self._noise.next()


__getattr__ = refusing("modules.rng")
