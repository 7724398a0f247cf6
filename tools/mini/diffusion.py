"""Noise levels, the training loss and a small sampler: enough to train the built-in model and to look at it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from tools.mini.export import Networks, betas
from tools.mini.networks import tokenize
from tools.mini.vae import SCALE

SNR_LIMITS = (0.05, 5.0)


def kept_signal(device: torch.device | str = "cpu") -> Tensor:
    """alpha_bar of SD 1.x: the part of the variance that is still picture at each of 1000 steps. (1000,) float32."""
    return torch.cumprod(1 - betas(), dim=0).float().to(device)


def noise_loss(unet: nn.Module, latents: Tensor, context: Tensor, weight: Tensor, noise: torch.Generator) -> Tensor:
    """Error of the predicted noise at random steps, weighted so that the picture's error counts by its limited SNR.

    The upper limit keeps the nearly clean steps from drowning the rest; the lower one gives the noisiest steps, where
    the caption alone decides what stands where, more say than SD's own loss does.

    latents: (B, 4, h, w), unit variance. context: (B, 77, width). weight: (B, 1, h, w), mean about 1.
    Source: Hang et al. (2023), arXiv:2303.09556, eq. 8.
    """
    batch, device = len(latents), latents.device
    # One step out of each of `batch` parts of the schedule: the loss is calmer than with independent draws.
    places = (torch.randperm(batch, generator=noise) + torch.rand(batch, generator=noise)) / batch
    steps = (places**0.8 * 1000).long().clamp(max=999).to(device)
    epsilon = torch.randn(latents.shape, generator=noise).to(device)
    kept = kept_signal(device)[steps].view(-1, 1, 1, 1)
    predicted: Tensor = unet(kept.sqrt() * latents + (1 - kept).sqrt() * epsilon, steps, context).sample
    snr = kept / (1 - kept)
    error = (predicted.float() - epsilon).square()
    return (error * weight * snr.clamp(*SNR_LIMITS) / snr).mean()


@torch.no_grad()
def sample(
    networks: Networks, captions: Sequence[str], seeds: Sequence[int], *, size: int, steps: int = 20, scale: float = 7.0
) -> list[Image.Image]:
    """One picture per caption: Euler a on SD's own schedule, classifier-free guidance `scale`."""
    kept = kept_signal()
    all_sigmas = ((1 - kept) / kept).sqrt()
    places = torch.linspace(999, 0, steps)
    sigmas = torch.cat([torch.from_numpy(np.interp(places, np.arange(1000), all_sigmas)).float(), torch.zeros(1)])
    device = next(networks.unet.parameters()).device
    context = networks.text(tokenize([*captions, *[""] * len(captions)]).to(device)).last_hidden_state
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw() -> Tensor:
        return torch.stack([torch.randn(4, size // 8, size // 8, generator=g) for g in generators]).to(device)

    x = draw() * sigmas[0]
    for place, sigma, sigma_next in zip(places, sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
        both = torch.cat([x, x]) / math.sqrt(sigma**2 + 1)
        asked, empty = networks.unet(both, place.to(device).expand(len(both)), context).sample.chunk(2)
        denoised = x - sigma * (empty + scale * (asked - empty))
        up = min(sigma_next, math.sqrt(sigma_next**2 * (sigma**2 - sigma_next**2)) / sigma)
        down = math.sqrt(sigma_next**2 - up**2)
        x = denoised + (x - denoised) / sigma * down + draw() * up
    pixels = networks.vae.decode(x / SCALE).sample
    bytes_ = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(picture) for picture in bytes_]
