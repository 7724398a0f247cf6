"""Chroma, written in its maker's layout and read back, is held against diffusers' own pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler
from torch import nn
from transformers import T5Config, T5EncoderModel

from modules.checkpoints.load import load_checkpoint
from modules.conditioning.conditioning import Conditioning
from modules.conditioning.encode import PromptEncoder, Timing
from modules.terms.errors import UnknownFile
from tests.checkpoints.flow_layout import FLUX_VAE_SCALE, T5, VAE, save
from tests.checkpoints.more_flow_layouts import CHROMA, chroma_original, random_network, write_chroma
from tests.checkpoints.test_flow_families import STEPS, difference, drawn, packed


@pytest.fixture(scope="module")
def chroma() -> nn.Module:
    return random_network(ChromaTransformer2DModel, **CHROMA)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def vae() -> nn.Module:
    return random_network(AutoencoderKL, **VAE, **FLUX_VAE_SCALE)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def t5() -> nn.Module:
    return random_network(lambda: T5EncoderModel(T5Config(**T5)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("spelling", ["original", "diffusers"])
@torch.no_grad()
def test_chroma_draws_as_diffusers_does(
    tmp_path: Path, chroma: nn.Module, vae: nn.Module, t5: nn.Module, spelling: str
) -> None:
    bundle = load_checkpoint(write_chroma(tmp_path / "chroma.safetensors", chroma, vae, t5, spelling))
    assert (bundle.family.name, bundle.prediction) == ("Chroma", "flow")
    assert {key: bundle.blueprint.unet.config[key] for key in CHROMA} == CHROMA
    pipeline = ChromaPipeline(FlowMatchEulerDiscreteScheduler(shift=3.0), vae, None, None, chroma)
    pipeline.set_progress_bar_config(disable=True)
    noise, texts = torch.randn(1, 16, 12, 8), [torch.randn(1, length, 32) for length in (9, 4)]
    masks = [torch.ones(1, text.shape[1]) for text in texts]
    theirs = pipeline(
        prompt_embeds=texts[0], prompt_attention_mask=masks[0], negative_prompt_embeds=texts[1],
        negative_prompt_attention_mask=masks[1], latents=packed(noise), width=64, height=96, num_inference_steps=STEPS,
        sigmas=[1 - step / STEPS for step in range(STEPS)], guidance_scale=2.5, output_type="latent",
    ).images  # fmt: skip
    given = [Conditioning(torch.cat([text[0], torch.zeros(1, 32)])) for text in texts]
    assert difference(packed(drawn(bundle.for_size(64, 96), noise, *given, cfg_scale=2.5)), theirs) <= 1e-4


@torch.no_grad()
def test_text_is_heard_with_one_token_of_filling(
    tmp_path: Path, chroma: nn.Module, vae: nn.Module, t5: nn.Module
) -> None:
    bundle = load_checkpoint(write_chroma(tmp_path / "chroma.safetensors", chroma, vae, t5))
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("a red circle", Timing(1)).at(0).cross
    tokens = list(bundle.clips[0].read("a red circle").tokens)  # type: ignore[union-attr]
    assert tokens[-2:] == [1, 0]
    # As the pipeline reads it: filled up, and only the text is listened to.
    filled = torch.tensor([tokens + [0] * 10])
    want = t5(input_ids=filled, attention_mask=(filled > 0).long()).last_hidden_state[0, : len(tokens)]
    assert difference(said[:-1], want) <= 1e-4
    assert not said[-1].any()


def test_radiance_is_known_and_refused(tmp_path: Path, chroma: nn.Module) -> None:
    tensors = chroma_original(chroma) | {"nerf_image_embedder.embedder.0.weight": torch.zeros(2, 2)}
    with pytest.raises(UnknownFile, match="Chroma Radiance"):
        load_checkpoint(save(tmp_path / "radiance.safetensors", tensors))
