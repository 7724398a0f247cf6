"""Autoencoders of another kind than SD's behind the same face: pixels to the latents that the network sees, and back.

Qwen-Image's is one for video, asked about a single frame; FLUX.2's puts two by two latent pixels into one. Both know
the mean and the spread of their latents, channel by channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

PATCH = 2


class WrappedVae(nn.Module):
    """What loading and decoding ask of diffusers' AutoencoderKL, of `inner`. config: "latent_channels" and one entry of
    "block_out_channels" more than the sides of pictures are halved."""

    def __init__(self, inner: nn.Module, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.inner = inner
        self.config = config

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    @property
    def encoder(self) -> nn.Module:
        return self.inner.get_submodule("encoder")

    @property
    def decoder(self) -> nn.Module:
        return self.inner.get_submodule("decoder")

    def encode(self, pixels: Tensor) -> SimpleNamespace:
        """An object whose `latent_dist.mean` is the latents (B, C, h, w) of `pixels` (B, 3, H, W)."""
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=self._latents(pixels)))

    def decode(self, latents: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        return (self._pixels(latents),)

    def _latents(self, pixels: Tensor) -> Tensor:
        raise NotImplementedError

    def _pixels(self, latents: Tensor) -> Tensor:
        raise NotImplementedError


class FrameVae(WrappedVae):
    """AutoencoderKLQwenImage and one frame."""

    def _moments(self, like: Tensor) -> tuple[Tensor, Tensor]:
        said: Any = self.inner.config
        mean, spread = (
            torch.tensor(numbers, device=like.device, dtype=like.dtype).view(1, -1, 1, 1)
            for numbers in (said.latents_mean, said.latents_std)
        )
        return mean, spread

    def _latents(self, pixels: Tensor) -> Tensor:
        inner: Any = self.inner
        z: Tensor = inner.encode(pixels.unsqueeze(2)).latent_dist.mean.squeeze(2)
        mean, spread = self._moments(z)
        return (z - mean) / spread

    def _pixels(self, latents: Tensor) -> Tensor:
        inner: Any = self.inner
        mean, spread = self._moments(latents)
        pixels: Tensor = inner.decode((latents * spread + mean).unsqueeze(2), return_dict=False)[0]
        return pixels.squeeze(2)


class PatchedVae(WrappedVae):
    """AutoencoderKLFlux2, whose latents the network sees two by two, each channel of them brought to variance one."""

    def _moments(self) -> tuple[Tensor, Tensor]:
        inner: Any = self.inner
        spread = (inner.bn.running_var + inner.bn.eps).sqrt()
        return inner.bn.running_mean.view(1, -1, 1, 1), spread.view(1, -1, 1, 1)

    def _latents(self, pixels: Tensor) -> Tensor:
        inner: Any = self.inner
        mean, spread = self._moments()
        z: Tensor = pixel_unshuffle(inner.encode(pixels).latent_dist.mean, PATCH)
        return (z - mean) / spread

    def _pixels(self, latents: Tensor) -> Tensor:
        inner: Any = self.inner
        mean, spread = self._moments()
        pixels: Tensor = inner.decode(pixel_shuffle(latents * spread + mean, PATCH), return_dict=False)[0]
        return pixels


def build_frame_vae(config: Mapping[str, Any]) -> nn.Module:
    from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage

    return FrameVae(AutoencoderKLQwenImage(**config["inner"]), config)


def build_patched_vae(config: Mapping[str, Any]) -> nn.Module:
    from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2

    inner = AutoencoderKLFlux2(**config["inner"])
    # It counts the batches of its training; files do not always say how many there were.
    inner.bn.num_batches_tracked = None
    return PatchedVae(inner, config)
