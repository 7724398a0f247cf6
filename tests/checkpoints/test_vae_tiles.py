"""A VAE in tiles gives the picture that it gives as a whole, nearly, and is afterwards what it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.devices import DeviceWishes
from modules.checkpoints.library import Library
from modules.checkpoints.memory import Models
from modules.checkpoints.vae_tiles import VaeTiles, group_norms, in_tiles, normalised, observed
from modules.terms.errors import Cancelled
from tests.checkpoints.original_layout import VAE

DOWNSCALE = 2
SIDE, OVERLAP = 32, 12


@pytest.fixture(scope="module")
def vae() -> AutoencoderKL:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = AutoencoderKL(**VAE, norm_num_groups=8)
    return network.eval().requires_grad_(False)


def smooth(channels: int, side: int) -> Tensor:
    """(1, channels, side, side) that changes slowly and is not the same everywhere."""
    x = torch.linspace(0, 3, side)
    waves = [torch.sin(x * (1 + channel))[:, None] * torch.cos(x * (2 - channel / 3)) for channel in range(channels)]
    return torch.stack(waves)[None]


def decode(vae: AutoencoderKL, latents: Tensor, tiles: VaeTiles | None) -> Tensor:
    def run(given: Tensor) -> Tensor:
        return vae.decode(given).sample

    return in_tiles(run, vae.decoder, latents, tiles, DOWNSCALE, decodes=True) if tiles else run(latents)


def encode(vae: AutoencoderKL, pixels: Tensor, tiles: VaeTiles | None) -> Tensor:
    def run(given: Tensor) -> Tensor:
        return vae.encode(given).latent_dist.mean

    return in_tiles(run, vae.encoder, pixels, tiles, DOWNSCALE, decodes=False) if tiles else run(pixels)


@pytest.fixture(scope="module")
def built_in(root: Path) -> Iterator[ModelBundle]:
    folder = root / "models" / "Stable-diffusion"
    if not (folder / "atelier-mini.safetensors").is_file():
        pytest.skip("the built-in model is not in models/Stable-diffusion")
    with Models(Library([folder]), DeviceWishes(device="cpu")).borrow("atelier-mini") as bundle:
        yield bundle


def scene(side: int) -> Tensor:
    """(1, 3, side, side) in [-1, 1]: bright and dark, smooth and busy places, far from each other."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    busy = torch.sign(torch.sin(40 * x) * torch.sin(40 * y)) * (y > 0)
    return torch.stack([0.7 * x + 0.2 * busy, 0.6 * y + 0.2 * busy, 0.8 * (x * x + y * y < 0.5) - 0.4])[None]


def psnr(one: Tensor, other: Tensor) -> float:
    """Of two pictures in [-1, 1]."""
    return float(-10 * ((one.clamp(-1, 1) - other.clamp(-1, 1)) / 2).square().mean().log10())


def test_tiles_are_nearly_the_whole(built_in: ModelBundle) -> None:
    """Within 36 dB with tiles this small, and nearer than tiles that are decoded alone, whose brightness differs."""
    pixels, tiles = scene(320), VaeTiles(192, 64)
    latents = built_in.encode_image(pixels)
    whole = built_in.decode(latents)
    tiled = built_in.decode(latents, tiles=tiles)
    assert psnr(tiled, whole) > 36
    corner = (..., slice(0, 128), slice(0, 128))
    alone = built_in.decode(latents[..., :24, :24])
    assert psnr(tiled[corner], whole[corner]) > psnr(alone[corner], whole[corner]) + 3
    assert psnr(built_in.decode(built_in.encode_image(pixels, tiles=tiles)), whole) > 36


@pytest.mark.parametrize("size", [(96, 40), (33, 96), (20, 20)])
def test_every_shape_comes_back(vae: AutoencoderKL, size: tuple[int, int]) -> None:
    latents = smooth(4, 96)[..., : size[0], : size[1]]
    tiles = VaeTiles(SIDE * DOWNSCALE, OVERLAP * DOWNSCALE)
    pixels = decode(vae, latents, tiles)
    assert pixels.shape == (1, 3, size[0] * DOWNSCALE, size[1] * DOWNSCALE)
    assert encode(vae, pixels, tiles).shape == latents.shape


def test_what_fits_one_tile_is_not_touched(vae: AutoencoderKL) -> None:
    latents = smooth(4, SIDE)
    assert torch.equal(decode(vae, latents, VaeTiles(SIDE * DOWNSCALE)), decode(vae, latents, None))


def test_fixed_moments_are_those_of_the_norm(vae: AutoencoderKL) -> None:
    latents = smooth(4, 24)
    whole = decode(vae, latents, None)
    with observed(vae.decoder) as seen:
        decode(vae, latents, None)
    assert set(seen) == set(group_norms(vae.decoder))
    with normalised(vae.decoder, seen):
        assert torch.allclose(decode(vae, latents, None), whole, atol=1e-4)


def test_the_network_is_left_as_it_was(vae: AutoencoderKL) -> None:
    latents = smooth(4, 96)
    before = decode(vae, latents, None)

    def stop(number: int, total: int) -> None:
        if number == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        decode(vae, latents, VaeTiles(SIDE * DOWNSCALE, OVERLAP * DOWNSCALE, stop))
    assert not any("forward" in vars(module) for module in vae.modules())
    assert not any(module._forward_pre_hooks for module in vae.modules() if isinstance(module, nn.GroupNorm))
    assert torch.equal(decode(vae, latents, None), before)


def test_every_tile_is_told(vae: AutoencoderKL) -> None:
    heard: list[tuple[int, int]] = []
    tiles = VaeTiles(SIDE * DOWNSCALE, OVERLAP * DOWNSCALE, lambda number, total: heard.append((number, total)))
    decode(vae, smooth(4, 64), tiles)
    assert heard == [(number, 10) for number in range(1, 11)]
