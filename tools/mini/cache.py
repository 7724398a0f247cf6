"""Scenes as latents, drawn and encoded once."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from tools.mini import scenes, vae
from tools.mini.stages import worker_rank


class LatentCache:
    """Latents of scene number 0, 1, 2 ... and where in them something stands. Grows; on disk, one file a worker."""

    def __init__(self, encoder: AutoencoderKL, size: int, seed: int, at_first: int, folder: Path) -> None:
        side = size // 8
        self.encoder, self.size, self.seed, self.at_first, self.rank = encoder, size, seed, at_first, worker_rank()
        self.file = folder / f"latents-{self.rank}.pt"
        self.latents = torch.empty(0, 4, side, side, dtype=torch.float16)
        self.weights = torch.empty(0, 1, side, side, dtype=torch.float16)
        self.scenes: list[scenes.Scene] = []
        known = self.file if self.file.exists() else folder / "latents-0.pt"
        if known.exists():
            kept = torch.load(known, weights_only=True)
            shared = None if known == self.file else at_first
            self.latents, self.weights = kept["latents"][:shared], kept["weights"][:shared]
            self.scenes = [self._scene(number)[0] for number in range(len(self.latents))]

    def _scene(self, number: int) -> tuple[scenes.Scene, int]:
        stream = self.rank if number >= self.at_first else 0  # the first are the same for all workers
        rng = random.Random(f"{self.seed + 1000 * stream}/scene/{number}")
        return scenes.random_scene(rng), rng.getrandbits(32)

    @torch.no_grad()
    def grow(self, count: int, block: int = 32) -> None:
        """Draw and encode until there are `count` scenes, rounded up to whole blocks."""
        grown = False
        latents, weights = [self.latents], [self.weights]
        while len(self.scenes) < count:
            numbers = [self._scene(len(self.scenes) + i) for i in range(block)]
            drawn = [np.asarray(scenes.draw(scene, seed, self.size)) for scene, seed in numbers]
            pixels = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 127.5 - 1
            there = pixels.to(self.encoder.device, memory_format=torch.channels_last)
            mean = self.encoder.encode(there).latent_dist.mean
            latents.append((mean * vae.SCALE).half().cpu())
            weights.append(_weights([scene for scene, _ in numbers], pixels))
            self.scenes += [scene for scene, _ in numbers]
            grown = True
        if grown:
            self.latents, self.weights = torch.cat(latents), torch.cat(weights)

    def save(self) -> None:
        part = self.file.with_suffix(".part")
        torch.save({"latents": self.latents, "weights": self.weights}, part)
        part.replace(self.file)


def _weights(drawn: list[scenes.Scene], pixels: Tensor) -> Tensor:
    """(B, 1, h/8, w/8) with mean 1: the thing and its edge count more than sky and ground, which are soon known."""
    side = pixels.shape[-1]
    empty = [np.asarray(scenes.empty(s.sky, s.ground, side)) for s in drawn]
    plain = torch.from_numpy(np.stack(empty)).permute(0, 3, 1, 2).float() / 127.5 - 1
    differs = ((pixels - plain).abs().amax(dim=1, keepdim=True) > 0.1).float()
    near = functional.max_pool2d(functional.avg_pool2d(differs, 8), 3, stride=1, padding=1)
    weight = 1 + 2 * near.clamp(max=1)
    return (weight / weight.mean(dim=(1, 2, 3), keepdim=True)).half()
