"""Chroma, Z-Image, Lumina 2, Qwen-Image and FLUX.2 klein from prompt to picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    Lumina2Transformer2DModel,
    QwenImageTransformer2DModel,
    ZImageTransformer2DModel,
)
from PIL import Image
from transformers import T5Config, T5EncoderModel

from modules.generation import Tools, generate, open_tools
from modules.terms.request import GenerationRequest, Hires, Source
from tests.checkpoints.flow_layout import FLUX_VAE_SCALE, T5, VAE
from tests.checkpoints.more_flow_layouts import (
    CHROMA,
    FRAMES,
    KLEIN,
    KLEIN_VAE,
    LUMINA,
    QWEN,
    Z_IMAGE,
    lumina_tensors,
    random_network,
    tiny_language,
    write_chroma,
    write_klein,
    write_qwen,
    write_with_language,
    z_image_tensors,
)

MODELS = ("chroma", "z_image", "lumina", "qwen", "klein")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    folder: Path = tmp_path_factory.mktemp("more")
    vae = random_network(AutoencoderKL, **VAE, **FLUX_VAE_SCALE)
    t5 = random_network(lambda: T5EncoderModel(T5Config(**T5)))
    write_chroma(folder / "chroma.safetensors", random_network(ChromaTransformer2DModel, **CHROMA), vae, t5)
    stream = z_image_tensors(random_network(ZImageTransformer2DModel, **Z_IMAGE))
    write_with_language(folder, stream, vae, tiny_language("Qwen3", 32), "qwen3_4b.transformer", "z_image")
    stream = lumina_tensors(random_network(Lumina2Transformer2DModel, **LUMINA, multiple_of=40))
    write_with_language(folder, stream, vae, tiny_language("Gemma2", 32), "gemma2_2b.transformer", "lumina")
    write_qwen(
        folder, random_network(QwenImageTransformer2DModel, **QWEN), random_network(AutoencoderKLQwenImage, **FRAMES)
    )
    klein = random_network(Flux2Transformer2DModel, **KLEIN)
    write_klein(folder, klein, random_network(AutoencoderKLFlux2, **KLEIN_VAE))
    return open_tools(folder, settings={"randn_source": "CPU"}, device="cpu")


def request(name: str, **changes: object) -> GenerationRequest:
    plain = GenerationRequest(
        prompt="a (red:1.2) circle", negative_prompt="blurred", steps=3, width=80, height=64, seed=5, cfg_scale=2.0,
        sampler="Euler", scheduler="Simple", checkpoint=name,
    )  # fmt: skip
    return plain.with_(**changes)


def drawn(tools: Tools, asked: GenerationRequest) -> np.ndarray:
    return np.asarray(generate(asked, tools).images[0].image).astype(int)


@pytest.mark.parametrize("name", MODELS)
def test_a_prompt_becomes_a_picture(tools: Tools, name: str) -> None:
    first = drawn(tools, request(name))
    assert first.shape == (64, 80, 3)
    assert drawn(tools, request(name)).tolist() == first.tolist()
    for change in ({"seed": 6}, {"prompt": "a house"}, {"negative_prompt": ""}):
        assert drawn(tools, request(name, **change)).tolist() != first.tolist(), change
    two = generate(request(name, batch_size=2), tools).images
    assert np.abs(np.asarray(two[0].image).astype(int) - first).max() <= 1


@pytest.mark.parametrize("name", MODELS)
def test_a_picture_becomes_another(tools: Tools, name: str) -> None:
    source = Image.fromarray(drawn(tools, request(name)).astype(np.uint8))
    asked = request(name, source=Source((source,)), denoising_strength=0.4, steps=5)
    assert drawn(tools, asked).shape == (64, 80, 3)
    larger = request(name, hires=Hires(scale=2.0), denoising_strength=0.6)
    assert drawn(tools, larger).shape == (128, 160, 3)
