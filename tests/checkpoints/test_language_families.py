"""Z-Image and Lumina 2, written in their makers' layout and read back: each is held against diffusers' own pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from torch import nn

from modules.checkpoints.companions import Companions
from modules.checkpoints.inspect import inspect_file
from modules.checkpoints.load import load_checkpoint
from modules.conditioning.conditioning import Conditioning
from modules.conditioning.encode import PromptEncoder, Timing
from modules.terms.errors import NotFound
from tests.checkpoints.flow_layout import FLUX_VAE_SCALE, VAE, prefixed, save
from tests.checkpoints.more_flow_layouts import (
    FRAMES,
    LUMINA,
    WORDS,
    Z_IMAGE,
    language_tensors,
    llama_tensors,
    lumina_tensors,
    random_network,
    tiny_language,
    wan_tensors,
    write_vocabulary,
    write_with_language,
    z_image_tensors,
)
from tests.checkpoints.original_layout import vae_tensors
from tests.checkpoints.quantised_files import write_gguf
from tests.checkpoints.test_flow_families import STEPS, difference, drawn


@pytest.fixture(scope="module")
def z_image() -> nn.Module:
    return random_network(ZImageTransformer2DModel, **Z_IMAGE)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def lumina() -> nn.Module:
    return random_network(Lumina2Transformer2DModel, **LUMINA, multiple_of=40)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def vae() -> nn.Module:
    from diffusers import AutoencoderKL

    return random_network(AutoencoderKL, **VAE, **FLUX_VAE_SCALE)  # type: ignore[no-any-return]


@pytest.mark.parametrize("spelling", ["original", "diffusers"])
@torch.no_grad()
def test_z_image_draws_as_diffusers_does(tmp_path: Path, z_image: nn.Module, vae: nn.Module, spelling: str) -> None:
    tensors = z_image_tensors(z_image) if spelling == "original" else dict(z_image.state_dict())
    path = write_with_language(
        tmp_path, prefixed("model.diffusion_model.", tensors), vae, tiny_language("Qwen3", 32), "qwen3_4b.transformer"
    )
    bundle = load_checkpoint(path)
    assert (bundle.family.name, bundle.prediction) == ("Z-Image", "flow")
    assert {key: bundle.blueprint.unet.config[key] for key in Z_IMAGE} == Z_IMAGE
    pipeline = ZImagePipeline(FlowMatchEulerDiscreteScheduler(shift=3.0), vae, None, None, z_image)
    pipeline.set_progress_bar_config(disable=True)
    noise, texts = torch.randn(1, 16, 12, 8), [torch.randn(length, 32) for length in (9, 4)]
    theirs = pipeline(
        prompt_embeds=[texts[0]], negative_prompt_embeds=[texts[1]], latents=noise, width=64, height=96,
        num_inference_steps=STEPS, sigmas=[1 - step / STEPS for step in range(STEPS)], guidance_scale=1.5,
        output_type="latent",
    ).images  # fmt: skip
    given = [Conditioning(torch.cat([text, torch.zeros(1, 32)])) for text in texts]
    # The pipeline counts from the guided answer, we from the unguided one.
    ours = drawn(bundle.for_size(64, 96), noise, *given, cfg_scale=2.5)
    assert difference(ours, theirs) <= 1e-4


@torch.no_grad()
def test_z_image_hears_its_text_as_transformers_says_it(tmp_path: Path, z_image: nn.Module, vae: nn.Module) -> None:
    text = tiny_language("Qwen3", 32)
    bundle = load_checkpoint(write_with_language(tmp_path, z_image_tensors(z_image), vae, text, "qwen3_4b.transformer"))
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("A red dot", Timing(1)).at(0).cross
    vocabulary = bundle.clips[0].vocabulary  # type: ignore[union-attr]
    tokens = vocabulary.encode("<|im_start|>user\nA red dot<|im_end|>\n<|im_start|>assistant\n")
    assert max(tokens) >= 256 and len(tokens) < WORDS
    want = text(input_ids=torch.tensor([tokens]), output_hidden_states=True).hidden_states[-2][0]
    assert difference(said[:-1], want) <= 1e-4
    assert not said[-1].any()


@pytest.mark.parametrize("spelling", ["original", "diffusers"])
@torch.no_grad()
def test_lumina_draws_as_diffusers_does(tmp_path: Path, lumina: nn.Module, vae: nn.Module, spelling: str) -> None:
    tensors = lumina_tensors(lumina) if spelling == "original" else dict(lumina.state_dict())
    path = write_with_language(
        tmp_path, prefixed("model.diffusion_model.", tensors), vae, tiny_language("Gemma2", 32), "gemma2_2b.transformer"
    )
    bundle = load_checkpoint(path)
    assert (bundle.family.name, bundle.prediction) == ("Lumina 2", "flow")
    assert {key: bundle.blueprint.unet.config[key] for key in LUMINA} == LUMINA
    pipeline = Lumina2Pipeline(lumina, FlowMatchEulerDiscreteScheduler(shift=6.0), vae, None, None)
    pipeline.set_progress_bar_config(disable=True)
    noise, texts = torch.randn(1, 16, 12, 8), [torch.randn(1, length, 32) for length in (9, 4)]
    masks = [torch.ones(1, 9, dtype=torch.int64), torch.tensor([[1] * 4 + [0] * 5])]
    filled = torch.cat([texts[1], torch.randn(1, 5, 32)], dim=1)
    theirs = pipeline(
        prompt_embeds=texts[0], prompt_attention_mask=masks[0], negative_prompt_embeds=filled,
        negative_prompt_attention_mask=masks[1], latents=noise, width=64, height=96, num_inference_steps=STEPS,
        sigmas=[1 - step / STEPS for step in range(STEPS)], guidance_scale=2.5, cfg_normalization=False,
        output_type="latent",
    ).images  # fmt: skip
    given = [Conditioning(torch.cat([text[0], torch.zeros(1, 32)])) for text in texts]
    assert difference(drawn(bundle.for_size(64, 96), noise, *given, cfg_scale=2.5), theirs) <= 1e-4


@torch.no_grad()
def test_lumina_hears_its_text_as_transformers_says_it(tmp_path: Path, lumina: nn.Module, vae: nn.Module) -> None:
    text = tiny_language("Gemma2", 32)
    bundle = load_checkpoint(write_with_language(tmp_path, lumina_tensors(lumina), vae, text, "gemma2_2b.transformer"))
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("A red dot", Timing(1)).at(0).cross
    encoder = bundle.clips[0]
    tokens = encoder.read("A red dot").tokens  # type: ignore[union-attr]
    whole = encoder.vocabulary.encode(  # type: ignore[union-attr]
        "<bos>You are an assistant designed to generate superior images with the superior degree of image-text "
        "alignment based on textual prompts or user prompts. <Prompt Start> A red dot"
    )
    assert list(tokens) == whole
    want = text(input_ids=torch.tensor([tokens]), output_hidden_states=True).hidden_states[-2][0]
    assert difference(said[:-1], want) <= 1e-4


@pytest.mark.parametrize("kind", ["Qwen3", "Gemma2"])
@torch.no_grad()
def test_encoders_lie_beside_in_either_spelling(
    tmp_path: Path, z_image: nn.Module, lumina: nn.Module, vae: nn.Module, kind: str
) -> None:
    text = tiny_language(kind, 32)
    transformer = z_image_tensors(z_image) if kind == "Qwen3" else lumina_tensors(lumina)
    path = save(tmp_path / "alone.safetensors", transformer)
    beside = tmp_path / "beside"
    beside.mkdir()
    with pytest.raises(NotFound, match="lacks the text encoder"):
        load_checkpoint(path, companions=Companions([beside]))
    write_vocabulary(beside)
    save(beside / "ae.safetensors", vae_tensors(vae, ""))
    save(beside / "text.safetensors", language_tensors(text))
    plain = load_checkpoint(path, companions=Companions([beside])).clips[0].model.state_dict()
    (beside / "text.safetensors").unlink()
    write_gguf(
        beside / "text.gguf",
        llama_tensors(text, kind == "Gemma2"),
        "F16",
        "qwen3",
        chosen=lambda key, value: False,
    )
    again = load_checkpoint(path, companions=Companions([beside])).clips[0].model.state_dict()
    assert all(difference(again[key], text.state_dict()[key]) < 1e-6 for key in plain)
    assert all(torch.equal(value, text.state_dict()[key]) for key, value in plain.items())


def test_they_are_inspected(tmp_path: Path, z_image: nn.Module, lumina: nn.Module) -> None:
    for name, tensors in (("Z-Image", z_image_tensors(z_image)), ("Lumina 2", lumina_tensors(lumina))):
        report = inspect_file(save(tmp_path / f"{name}.safetensors", tensors))
        assert (report.kind, report.base) == ("checkpoint", name)


def test_what_lies_beside_is_inspected(tmp_path: Path) -> None:
    for name, tensors, kind in (
        ("qwen", language_tensors(tiny_language("Qwen3", 32)), "text encoder"),
        ("llama", llama_tensors(tiny_language("Gemma2", 32), True), "text encoder"),
        ("wan", wan_tensors(random_network(AutoencoderKLQwenImage, **FRAMES)), "vae"),
    ):
        report = inspect_file(save(tmp_path / f"{name}.safetensors", tensors))
        assert (name, report.kind) == (name, kind)
