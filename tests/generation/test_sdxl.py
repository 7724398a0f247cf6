"""SDXL from prompt to picture: as diffusers' pipeline draws with the same weights and noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from modules.checkpoints.inspect import inspect_file
from modules.conditioning.tokenizer import clip_tokenizer
from modules.generation import Tools, generate, open_tools
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source
from tests.checkpoints import test_open_clip_families as layout
from tests.generation.conftest import VAE

WORDS = {"vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
SIZE = 64


def networks(numbers: int, *, first: bool = True, in_channels: int = 4) -> layout.Networks:
    made = layout.networks(numbers, first=first, in_channels=in_channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(13)
        small = CLIPTextModel(CLIPTextConfig(**{**layout.TEXT, **WORDS})).eval()
        big = CLIPTextModelWithProjection(CLIPTextConfig(**{**layout.BIG_TEXT, **WORDS})).eval()
        vae = AutoencoderKL(**VAE, scaling_factor=0.13025).eval()
    return layout.Networks(made.unet, vae, small if first else None, big)


@pytest.fixture(scope="module")
def base() -> layout.Networks:
    return networks(6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, base: layout.Networks) -> Path:
    folder = tmp_path_factory.mktemp("sdxl")
    layout.write(folder / "xl.safetensors", base)
    layout.write(folder / "refiner.safetensors", networks(5, first=False))
    layout.write(folder / "inpaint.safetensors", networks(6, in_channels=9))
    return folder


def tools_of(folder: Path, **settings: Any) -> Tools:
    given = {"randn_source": "CPU", "sd_model_checkpoint": "xl.safetensors", **settings}
    return open_tools(folder, settings=given, device="cpu")


def request(**changes: Any) -> GenerationRequest:
    plain = GenerationRequest(
        prompt="a red circle", negative_prompt="blurred", steps=4, width=SIZE, height=SIZE, seed=5, cfg_scale=4.0,
        sampler="Euler", scheduler="Uniform",
    )  # fmt: skip
    return plain.with_(**changes)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@torch.no_grad()
def theirs(
    made: layout.Networks, prompt: str, negative: str, *, blank: bool = False, crop: tuple[int, int] = (0, 0),
    size: tuple[int, int] = (SIZE, SIZE), skip: int = 2,
) -> np.ndarray:  # fmt: skip
    """What diffusers draws, as whole numbers."""

    def said(text: str) -> tuple[Tensor, Tensor]:
        assert made.first is not None
        rows = []
        for model, open_clip in ((made.first, False), (made.second, True)):
            tokens = [49406, *clip_tokenizer(open_clip=open_clip).encode(text), 49407]
            fill = 0 if open_clip else 49407
            row = torch.tensor([tokens + [fill] * (77 - len(tokens))])
            rows.append(model(row, output_hidden_states=True))
        z = torch.cat([rows[0].hidden_states[-skip], rows[1].hidden_states[-2]], dim=-1)
        return z, rows[1].text_embeds

    (cross, pooled), (other, other_pooled) = said(prompt), said(negative)
    if blank:
        other, other_pooled = torch.zeros_like(other), torch.zeros_like(other_pooled)
    # Four steps fall on whole timesteps (999, 666, 333, 0), where nothing is interpolated.
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="linspace"
    )
    pipeline = StableDiffusionXLPipeline(
        made.vae, made.first, made.second, None, None, made.unet, scheduler, add_watermarker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    width, height = size
    noise = torch.randn(4, height // 8, width // 8, generator=torch.Generator().manual_seed(5))[None]
    drawn = pipeline(
        prompt_embeds=cross, pooled_prompt_embeds=pooled, negative_prompt_embeds=other,
        negative_pooled_prompt_embeds=other_pooled, latents=noise, num_inference_steps=4, guidance_scale=4.0,
        width=width, height=height, crops_coords_top_left=crop, negative_crops_coords_top_left=crop,
        original_size=(height, width), target_size=(height, width),
        output_type="pt",
    ).images  # fmt: skip
    return (drawn[0].permute(1, 2, 0) * 255).numpy()


@pytest.mark.parametrize("negative", ["blurred", ""])
def test_a_picture_is_what_diffusers_draws(folder: Path, base: layout.Networks, negative: str) -> None:
    drawn = generate(request(negative_prompt=negative, height=96), tools_of(folder)).images[0].image
    want = theirs(base, "a red circle", negative, blank=not negative, size=(SIZE, 96))
    assert np.abs(pixels(drawn) - want).max() <= 1.01  # whole numbers on our side


def test_crop_and_clip_skip_are_told(folder: Path, base: layout.Networks) -> None:
    tools = tools_of(folder, sdxl_crop_top=40, sdxl_crop_left=8, sdxl_clip_l_skip=True, CLIP_stop_at_last_layers=3)
    drawn = generate(request(), tools).images[0].image
    want = theirs(base, "a red circle", "blurred", crop=(40, 8), skip=3)
    assert np.abs(pixels(drawn) - want).max() <= 1.01
    other = generate(request(), tools_of(folder, CLIP_stop_at_last_layers=3)).images[0].image
    assert np.abs(pixels(other) - theirs(base, "a red circle", "blurred")).max() <= 1.01


def test_hires_refiner_img2img_and_inpainting_draw(folder: Path) -> None:
    tools = tools_of(folder, sd_checkpoints_limit=2)
    first = generate(request(prompt="a red circle AND a house"), tools).images[0].image
    large = generate(request(hires=Hires(scale=1.5), denoising_strength=0.7), tools).images[0].image
    assert large.size == (96, 96)
    refined = generate(request(refiner=Refiner("refiner.safetensors", 0.5)), tools)
    assert refined.extra["Refiner"]
    assert np.abs(pixels(refined.images[0].image) - pixels(generate(request(), tools).images[0].image)).max() > 0
    mask = Image.new("L", first.size, 0)
    mask.paste(255, (16, 16, 48, 48))
    source = Source((first,), mask=Mask(mask, blur_x=0, blur_y=0))
    painted = request(source=source, denoising_strength=0.8, steps=5)
    for name in ("xl.safetensors", "inpaint.safetensors"):
        image = generate(painted.with_(checkpoint=name), tools).images[0].image
        change = np.abs(pixels(image) - pixels(first)).max(axis=2)
        assert change[:8].max() <= 1
        assert change[20:44, 20:44].max() > 1


def test_a_noted_prediction_is_used_and_told(folder: Path, tmp_path: Path, base: layout.Networks) -> None:
    path = layout.write(tmp_path / "noob.safetensors", base)
    tools = tools_of(tmp_path)
    plain = generate(request(checkpoint="noob"), tools)
    path.with_suffix(".json").write_text(json.dumps({"prediction type": "v", "zero terminal snr": True}))
    noted = generate(request(checkpoint="noob"), tools)  # it is in memory as it was, and loaded again
    assert inspect_file(path).sentence == "A checkpoint: SDXL, v-prediction, zero terminal SNR."
    assert np.abs(pixels(plain.images[0].image) - pixels(noted.images[0].image)).max() > 8
