from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers import AutoencoderKL

from modules.checkpoints import vae_bands
from modules.checkpoints.vae_bands import banded
from modules.checkpoints.vae_tiles import observed


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vae_bands, "LARGE_BYTES", 0)
    monkeypatch.setattr(vae_bands, "BAND_BYTES", 1)  # eight rows, the fewest


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels last"])
def vae(request: pytest.FixtureRequest) -> Iterator[AutoencoderKL]:
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
    )
    with torch.no_grad():
        for weight in vae.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)  # norms that do something
        yield vae.eval().to(memory_format=request.param)


@pytest.mark.parametrize("size", [(8, 8), (10, 6), (13, 9)])
def test_bands_decode_what_the_whole_decodes(vae: AutoencoderKL, size: tuple[int, int]) -> None:
    z = torch.randn(1, 4, *size)
    whole = vae.decode(z).sample
    with banded(vae):
        assert torch.allclose(vae.decode(z).sample, whole, atol=2e-5 * float(whole.abs().max()))
    assert torch.equal(vae.decode(z).sample, whole)


def test_bands_encode_what_the_whole_encodes(vae: AutoencoderKL) -> None:
    pixels = torch.randn(1, 3, 40, 24)
    whole = vae.encode(pixels).latent_dist.mean
    with banded(vae):
        assert torch.allclose(vae.encode(pixels).latent_dist.mean, whole, atol=2e-5 * float(whole.abs().max()))


def test_maps_are_really_cut(vae: AutoencoderKL, monkeypatch: pytest.MonkeyPatch) -> None:
    heights = []
    convolution = vae_bands.conv2d

    def counted(x: torch.Tensor, *arguments: object, **options: object) -> torch.Tensor:
        heights.append(x.shape[-2])
        return convolution(x, *arguments, **options)

    monkeypatch.setattr(vae_bands, "conv2d", counted)
    with banded(vae):
        vae.decode(torch.randn(1, 4, 16, 16))
    assert heights
    assert max(heights) <= 2 * 8 + 4


def test_who_listens_to_a_norm_hears_it(vae: AutoencoderKL) -> None:
    z = torch.randn(1, 4, 8, 8)
    with observed(vae.decoder) as plain:
        vae.decode(z)
    with banded(vae), observed(vae.decoder) as seen:
        vae.decode(z)
    assert seen.keys() == plain.keys()


def test_wrapped_edges_are_left_to_the_network(vae: AutoencoderKL) -> None:
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = "circular"
    z = torch.randn(1, 4, 8, 8)
    whole = vae.decode(z).sample
    with banded(vae):
        assert torch.equal(vae.decode(z).sample, whole)
