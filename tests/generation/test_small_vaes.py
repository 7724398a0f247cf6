"""TAESD and Approx NN, from files of random weights in the original layout: as decoder, as encoder, for previews."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import save_file

from modules.checkpoints.approximate import Approximations, ApproxNN
from modules.checkpoints.latent import SD1_LATENT, SDXL_LATENT
from modules.generation import GenerationRequest, Source, Tools, generate
from modules.terms.errors import UnknownFile
from modules.terms.progress import Progress

REQUEST = GenerationRequest(prompt="a house", steps=2, seed=3, width=64, height=64)
SHAPES = [(8, 4, 7, 7), (16, 8, 5, 5), (32, 16, 3, 3), (64, 32, 3, 3), (32, 64, 3, 3), (16, 32, 3, 3), (8, 16, 3, 3)]


@pytest.fixture(scope="module")
def tiny() -> AutoencoderTiny:
    torch.manual_seed(0)
    return AutoencoderTiny().eval()


@pytest.fixture(scope="module")
def folder(tiny: AutoencoderTiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "VAE-approx"
    folder.mkdir()
    halves = (("decoder", tiny.decoder, 1), ("encoder", tiny.encoder, 0))
    for half, network, offset in halves:
        tensors = {}
        for key, value in network.state_dict().items():
            _, number, rest = key.split(".", 2)
            tensors[f"{int(number) + offset}.{rest}"] = value
        torch.save(tensors, folder / f"taesd_{half}.pth")
    torch.manual_seed(1)
    save_file(ApproxNN([*SHAPES, (3, 8, 3, 3)]).state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture
def equipped(tools: Tools, folder: Path) -> Tools:
    return tools.with_(approximations=Approximations([folder]))


def previews(request: GenerationRequest, tools: Tools) -> list[Image.Image]:
    seen: list[Image.Image] = []

    def watch(progress: Progress, preview: object = None) -> None:
        if callable(preview):
            seen.append(preview())

    generate(request, tools, watch)
    return seen


def test_the_original_files_decode_as_diffusers_does(tiny: AutoencoderTiny, folder: Path) -> None:
    found = Approximations([folder])
    z, pixels = torch.randn(1, 4, 8, 8), torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        decoder, encoder = found.tiny(SD1_LATENT), found.tiny(SD1_LATENT, encodes=True)
        assert decoder is not None
        assert encoder is not None
        assert torch.equal(decoder.decode(z).sample, tiny.decode(z).sample)
        assert torch.equal(encoder.encode(pixels).latents, tiny.encode(pixels).latents)


def test_pictures_are_decoded_by_taesd_and_say_so(equipped: Tools) -> None:
    full = generate(REQUEST, equipped)
    small = generate(REQUEST.with_(settings={"sd_vae_decode_method": "TAESD"}), equipped)
    assert small.images[0].image.size == (64, 64)
    assert small.images[0].image.tobytes() != full.images[0].image.tobytes()
    assert "VAE Decoder: TAESD" in small.images[0].infotext
    assert "VAE Decoder" not in full.images[0].infotext
    assert not small.notes


def test_pictures_are_encoded_by_taesd_and_say_so(equipped: Tools) -> None:
    picture = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    request = REQUEST.with_(source=Source((picture,)), denoising_strength=0.3)
    small = generate(request.with_(settings={"sd_vae_encode_method": "TAESD"}), equipped)
    assert "VAE Encoder: TAESD" in small.images[0].infotext
    assert small.images[0].image.tobytes() != generate(request, equipped).images[0].image.tobytes()


def test_a_missing_file_is_named_once_and_the_own_vae_draws(tools: Tools, tmp_path: Path) -> None:
    bare = tools.with_(approximations=Approximations([tmp_path / "models" / "VAE-approx"]))
    settings = {"sd_vae_decode_method": "TAESD"}
    result = generate(REQUEST.with_(settings=settings, n_iter=2), bare)
    assert [note for note in result.notes if "taesd_decoder.pth in models/VAE-approx" in note] == list(result.notes)
    assert len(result.notes) == 1
    assert result.images[0].image.tobytes() == generate(REQUEST.with_(n_iter=2), bare).images[0].image.tobytes()


@pytest.mark.parametrize("method", ["Full", "TAESD", "Approx NN", "Approx cheap"])
def test_each_method_draws_its_own_preview(equipped: Tools, method: str) -> None:
    drawn = previews(REQUEST.with_(settings={"show_progress_type": method}), equipped)
    cheap = previews(REQUEST.with_(settings={"show_progress_type": "Approx cheap"}), equipped)
    assert len(drawn) == len(cheap) > 0
    same = drawn[-1].size == cheap[-1].size and np.array_equal(drawn[-1], cheap[-1])
    assert same == (method == "Approx cheap")


def test_without_the_file_previews_are_cheap(tools: Tools) -> None:
    cheap = previews(REQUEST.with_(settings={"show_progress_type": "Approx cheap"}), tools)
    for method in ("TAESD", "Approx NN"):
        drawn = previews(REQUEST.with_(settings={"show_progress_type": method}), tools)
        assert np.array_equal(drawn[-1], cheap[-1])


def test_latents_decide_which_file_serves(folder: Path) -> None:
    found = Approximations([folder])
    assert found.tiny(SDXL_LATENT) is None
    assert "taesdxl_decoder.pth" in found.missing(SDXL_LATENT, tiny=True)
    assert "vaeapprox-sdxl.pt " in found.missing(SDXL_LATENT, tiny=False)
    assert "There is no TAESD" in found.missing(replace(SD1_LATENT, channels=7), tiny=True)


def test_another_file_under_that_name_is_refused(tmp_path: Path) -> None:
    save_file({"a.weight": torch.zeros(3)}, tmp_path / "taesd_decoder.safetensors")
    save_file({"conv1.weight": torch.zeros(8, 9, 7, 7)}, tmp_path / "model.safetensors")
    found = Approximations([tmp_path])
    with pytest.raises(UnknownFile, match="taesd_decoder"):
        found.tiny(SD1_LATENT)
    with pytest.raises(UnknownFile, match="model"):
        found.nearby(SD1_LATENT)
