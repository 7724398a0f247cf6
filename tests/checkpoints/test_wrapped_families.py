"""Qwen-Image and FLUX.2 klein with autoencoders of their own, written in their makers' layout and read back: each is
held against diffusers' own pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)
from torch import nn

from modules.checkpoints.companions import Companions
from modules.checkpoints.load import load_checkpoint, load_vae
from modules.conditioning.conditioning import Conditioning
from modules.conditioning.encode import PromptEncoder, Timing
from modules.terms.errors import UnknownFile
from tests.checkpoints.flow_layout import save
from tests.checkpoints.more_flow_layouts import (
    FRAMES,
    KLEIN,
    KLEIN_VAE,
    QWEN,
    klein_tensors,
    klein_vae_tensors,
    language_tensors,
    random_network,
    tiny_language,
    wan_tensors,
    write_klein,
    write_qwen,
    write_vocabulary,
)
from tests.checkpoints.test_flow_families import STEPS, difference, drawn, packed


@pytest.fixture(scope="module")
def qwen() -> nn.Module:
    return random_network(QwenImageTransformer2DModel, **QWEN)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def frames() -> nn.Module:
    return random_network(AutoencoderKLQwenImage, **FRAMES)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def klein() -> nn.Module:
    return random_network(Flux2Transformer2DModel, **KLEIN)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def klein_vae() -> nn.Module:
    made = random_network(AutoencoderKLFlux2, **KLEIN_VAE)
    made.bn.running_mean.normal_(std=0.5)
    made.bn.running_var.uniform_(0.5, 2.0)
    return made  # type: ignore[no-any-return]


@torch.no_grad()
def test_qwen_image_draws_as_diffusers_does(tmp_path: Path, qwen: nn.Module, frames: nn.Module) -> None:
    bundle = load_checkpoint(write_qwen(tmp_path, qwen, frames))
    assert (bundle.family.name, bundle.prediction, bundle.variant) == ("Qwen-Image", "flow", "")
    assert {key: bundle.blueprint.unet.config[key] for key in QWEN} == QWEN
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9, base_image_seq_len=256, max_image_seq_len=8192
    )
    pipeline = QwenImagePipeline(scheduler, frames, None, None, qwen)
    pipeline.set_progress_bar_config(disable=True)
    noise, text = torch.randn(1, 16, 12, 8), torch.randn(1, 9, 32)
    theirs = pipeline(
        prompt_embeds=text, prompt_embeds_mask=torch.ones(1, 9, dtype=torch.int64), latents=packed(noise), width=64,
        height=96, num_inference_steps=STEPS, sigmas=[1 - step / STEPS for step in range(STEPS)],
        output_type="latent",
    ).images  # fmt: skip
    given = Conditioning(torch.cat([text[0], torch.zeros(3, 32)]))
    ours = drawn(bundle.for_size(64, 96), noise, given)
    assert difference(packed(ours), theirs) <= 1e-4
    both = torch.stack([given.cross, torch.cat([text[0, :4], torch.zeros(8, 32)])])
    args = noise.expand(2, -1, -1, -1), torch.tensor([500.0, 500.0])
    together = bundle.predict(*args, both)
    alone = bundle.predict(noise, torch.tensor([500.0]), text[:, :4])
    assert difference(together[1:], alone) <= 1e-4


@torch.no_grad()
def test_qwen_images_are_decoded_as_by_diffusers(tmp_path: Path, qwen: nn.Module, frames: nn.Module) -> None:
    bundle = load_checkpoint(write_qwen(tmp_path, qwen, frames))
    latents = torch.randn(1, 16, 4, 6)
    said = frames.config
    mean, spread = (torch.tensor(said[name]).view(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
    pixels = frames.decode(latents.unsqueeze(2) * spread + mean).sample[:, :, 0]  # type: ignore[operator]
    assert difference(bundle.decode(latents), pixels) <= 1e-4
    z = frames.encode(pixels.unsqueeze(2)).latent_dist.mean  # type: ignore[operator]
    assert difference(bundle.encode_image(pixels), ((z - mean) / spread).squeeze(2)) <= 1e-4
    for name, tensors in (("wan", wan_tensors(frames)), ("diffusers", frames.state_dict())):
        vae = load_vae(save(tmp_path / f"{name}.safetensors", tensors))
        assert difference(vae.decode(latents, return_dict=False)[0], pixels) <= 1e-4


@torch.no_grad()
def test_qwen_image_hears_what_follows_the_template(tmp_path: Path, qwen: nn.Module, frames: nn.Module) -> None:
    bundle = load_checkpoint(write_qwen(tmp_path, qwen, frames))
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("A red dot", Timing(1)).at(0).cross
    tokens = bundle.clips[0].read("A red dot").tokens  # type: ignore[union-attr]
    text = tiny_language("Qwen2", 32)
    want = text(input_ids=torch.tensor([tokens])).last_hidden_state[0]
    left = len("A red dot") + 1 + len("\n") + 1 + len("assistant\n")  # letters and two signs
    assert said.shape[0] == left + 1
    assert difference(said[:-1], want[-left:]) <= 1e-4


@torch.no_grad()
def test_qwen_image_edit_sees_another_picture(tmp_path: Path, qwen: nn.Module, frames: nn.Module) -> None:
    bundle = load_checkpoint(write_qwen(tmp_path, qwen, frames, "qwen_image_edit_2509.safetensors"))
    assert bundle.variant == "reference"
    x, other, text = torch.randn(1, 16, 8, 6), torch.randn(1, 16, 4, 8), torch.randn(1, 5, 32)
    ours = bundle.predict(x, torch.tensor([500.0]), text, extra=other)
    theirs = qwen(
        hidden_states=torch.cat([packed(x), packed(other)], dim=1), timestep=torch.tensor([0.5]),
        encoder_hidden_states=text, encoder_hidden_states_mask=torch.ones(1, 5, dtype=torch.bool),
        img_shapes=[[(1, 4, 3), (1, 2, 4)]],
    ).sample[:, :12]  # fmt: skip
    assert difference(packed(ours), theirs) <= 1e-4


@pytest.mark.parametrize("spelling", ["original", "diffusers"])
@torch.no_grad()
def test_klein_draws_as_diffusers_does(tmp_path: Path, klein: nn.Module, klein_vae: nn.Module, spelling: str) -> None:
    bundle = load_checkpoint(write_klein(tmp_path, klein, klein_vae, spelling))
    assert (bundle.family.name, bundle.latent.channels, bundle.latent.downscale) == ("FLUX.2", 128, 16)
    assert {key: bundle.blueprint.unet.config[key] for key in KLEIN} == KLEIN
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    pipeline = Flux2KleinPipeline(scheduler, klein_vae, None, None, klein)
    pipeline.set_progress_bar_config(disable=True)
    noise, texts = torch.randn(1, 128, 6, 4), [torch.randn(1, 9, 96) for _ in range(2)]
    theirs = pipeline(
        prompt_embeds=texts[0], negative_prompt_embeds=texts[1], latents=noise, width=64, height=96,
        num_inference_steps=4, sigmas=[1 - step / 4 for step in range(4)], guidance_scale=2.5, output_type="latent",
    ).images  # fmt: skip
    ours = drawn(bundle.for_size(64, 96), noise, *(Conditioning(text[0]) for text in texts), cfg_scale=2.5)
    norm = klein_vae.get_submodule("bn")
    moved = ours * (norm.running_var + norm.eps).sqrt().view(1, -1, 1, 1) + norm.running_mean.view(1, -1, 1, 1)  # type: ignore[operator,union-attr]
    assert difference(torch.nn.functional.pixel_shuffle(moved, 2), theirs) <= 2e-4
    pixels = klein_vae.decode(theirs).sample  # type: ignore[operator]
    assert difference(bundle.decode(ours), pixels) <= 1e-3
    exact = klein_vae.decode(torch.nn.functional.pixel_shuffle(moved, 2)).sample  # type: ignore[operator]
    assert difference(bundle.decode(ours), exact) <= 1e-4
    assert bundle.encode_image(pixels).shape == ours.shape


@torch.no_grad()
def test_klein_hears_three_layers(tmp_path: Path, klein: nn.Module, klein_vae: nn.Module) -> None:
    bundle = load_checkpoint(write_klein(tmp_path, klein, klein_vae))
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("A red dot", Timing(1)).at(0).cross
    read = bundle.clips[0].read("A red dot")  # type: ignore[union-attr]
    text = tiny_language("Qwen3", 32, 28)
    mask = torch.ones(1, 512, dtype=torch.int64)
    mask[:, 512 - read.filled :] = 0
    states = text(input_ids=torch.tensor([read.tokens]), attention_mask=mask, output_hidden_states=True).hidden_states
    assert difference(said, torch.cat([states[place][0] for place in (9, 18, 27)], dim=-1)) <= 1e-4


def test_klein_finds_its_autoencoder_beside(tmp_path: Path, klein: nn.Module, klein_vae: nn.Module) -> None:
    path = save(tmp_path / "alone.safetensors", klein_tensors(klein))
    beside = tmp_path / "beside"
    beside.mkdir()
    write_vocabulary(beside)
    save(beside / "qwen_3_4b.safetensors", language_tensors(tiny_language("Qwen3", 32, 28)))
    save(beside / "flux2-vae.safetensors", klein_vae_tensors(klein_vae))
    bundle = load_checkpoint(path, companions=Companions([beside]))
    assert bundle.vae.config["latent_channels"] == 128


def test_dev_is_known_and_refused(tmp_path: Path, klein: nn.Module) -> None:
    tensors = klein_tensors(klein) | {"guidance_in.in_layer.weight": torch.zeros(2, 2)}
    with pytest.raises(UnknownFile, match=r"FLUX\.2 dev"):
        load_checkpoint(save(tmp_path / "dev.safetensors", tensors))
