"""FLUX.1 and SD 3 from prompt to picture: txt2img, hires, img2img, inpainting, and what infotext says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.generation import Tools, generate, open_tools
from modules.generation.infotext import parse
from modules.generation.restore import restore
from modules.terms.errors import NotFound
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest, Hires, Mask, Source
from tests.checkpoints.flow_layout import own_tensors, save, tiny_flux, tiny_sd3, write_flux, write_sd3
from tests.checkpoints.original_layout import text_tensors, vae_tensors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flow")
    write_flux(folder / "flux1-dev.safetensors", tiny_flux())
    write_flux(folder / "flux1-schnell.safetensors", tiny_flux(guided=False))
    write_flux(folder / "flux1-kontext-dev.safetensors", tiny_flux())
    write_flux(folder / "flux1-fill-dev.safetensors", tiny_flux(in_channels=384))
    write_sd3(folder / "sd3.safetensors", tiny_sd3())
    return folder


@pytest.fixture(scope="module")
def tools(folder: Path) -> Tools:
    return open_tools(folder, settings={"randn_source": "CPU"}, device="cpu")


def request(name: str = "flux1-dev", **changes: object) -> GenerationRequest:
    plain = GenerationRequest(
        prompt="a (red:1.2) circle", negative_prompt="blurred", steps=3, width=72, height=64, seed=5, cfg_scale=1.0,
        sampler="Euler", scheduler="Simple", checkpoint=name,
    )  # fmt: skip
    return plain.with_(**changes)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def picture(tools: Tools, asked: GenerationRequest) -> Image.Image:
    return generate(asked, tools).images[0].image


MODELS = ["flux1-dev", "flux1-schnell", "flux1-kontext-dev", "flux1-fill-dev", "sd3"]


@pytest.mark.parametrize("name", MODELS)
def test_every_way_to_draw(tools: Tools, name: str) -> None:
    first = picture(tools, request(name, batch_size=2))
    assert first.size == (72, 64)
    assert pixels(picture(tools, request(name, seed=6))).tolist() != pixels(first).tolist()
    assert picture(tools, request(name, hires=Hires(scale=1.5), denoising_strength=0.6)).size == (104, 96)
    source = Source((first,))
    again = picture(tools, request(name, source=source, denoising_strength=0.4, steps=5))
    assert again.size == (72, 64)
    mask = Image.new("L", first.size, 0)
    mask.paste(255, (32, 16, 72, 64))
    painted = picture(
        tools, request(name, source=Source((first,), mask=Mask(mask, blur_x=0, blur_y=0)), denoising_strength=1.0)
    )
    change = np.abs(pixels(painted) - pixels(first)).max(axis=2)
    assert change[:, :24].max() <= 1
    assert change[20:44, 40:60].max() > 1


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M", "DPM++ SDE", "LCM"])
def test_other_samplers_draw(tools: Tools, sampler: str) -> None:
    drawn = generate(request(sampler=sampler, scheduler="Automatic"), tools)
    assert np.isfinite(pixels(drawn.images[0].image)).all()


def test_kontext_looks_at_the_source(tools: Tools) -> None:
    """At full strength nothing of the source is in the latents: only what the network sees of it can matter."""
    sources = [Image.new("RGB", (72, 64), colour) for colour in ("white", "navy")]
    drawn = [
        picture(tools, request("flux1-kontext-dev", source=Source((one,)), denoising_strength=1.0)) for one in sources
    ]
    plain = [picture(tools, request(source=Source((one,)), denoising_strength=1.0)) for one in sources]
    assert np.abs(pixels(drawn[0]) - pixels(drawn[1])).max() > np.abs(pixels(plain[0]) - pixels(plain[1])).max()


def test_the_negative_prompt_is_spared_at_scale_one(tools: Tools) -> None:
    bare, other = (pixels(picture(tools, request(negative_prompt=text))) for text in ("", "blurred"))
    assert bare.tolist() == other.tolist()
    two = [pixels(picture(tools, request("sd3", negative_prompt=text, cfg_scale=3.0))) for text in ("", "blurred")]
    assert two[0].tolist() != two[1].tolist()


def test_distilled_guidance_is_heard_and_told(tools: Tools) -> None:
    result = generate(request(), tools)
    assert "Distilled CFG Scale: 3.5" in result.images[0].infotext
    other = generate(request(distilled_cfg_scale=6.0), tools)
    assert "Distilled CFG Scale: 6.0" in other.images[0].infotext
    assert pixels(other.images[0].image).tolist() != pixels(result.images[0].image).tolist()
    back = restore(parse(other.images[0].infotext)).request
    assert back.distilled_cfg_scale == 6.0
    assert "Distilled" not in generate(request("flux1-schnell"), tools).images[0].infotext
    assert "Distilled" not in generate(request("sd3"), tools).images[0].infotext


def test_the_shift_can_be_set(tools: Tools) -> None:
    result = generate(request(settings={"flow_shift": 6.0}), tools)
    assert "Shift: 6" in result.images[0].infotext
    assert pixels(result.images[0].image).tolist() != pixels(picture(tools, request())).tolist()


def test_prompts_change_on_the_way(tools: Tools) -> None:
    changing = picture(tools, request(prompt="a [red:blue:0.5] circle AND a house :0.7"))
    assert pixels(changing).tolist() != pixels(picture(tools, request(prompt="a red circle AND a house :0.7"))).tolist()


def test_previews_have_the_colours_of_sixteen_channels(tools: Tools) -> None:
    seen: list[Image.Image] = []

    def watch(progress: Progress, preview: Callable[[], Image.Image] | None = None) -> None:
        if preview is not None:
            seen.append(preview())

    generate(request(), tools, watch)
    assert len(seen) == 3
    assert seen[-1].width / seen[-1].height == pytest.approx(72 / 64)


def test_parts_are_chosen_and_missed(tmp_path: Path) -> None:
    made, models, beside = tiny_flux(), tmp_path / "models", tmp_path / "text_encoder"
    models.mkdir()
    beside.mkdir()
    write_flux(models / "flux1-dev.safetensors", made, whole=False)
    tools = open_tools(models, text_encoders=beside, settings={"randn_source": "CPU"}, device="cpu")
    with pytest.raises(NotFound, match="T5-XXL"):
        generate(request(), tools)
    save(beside / "one.safetensors", text_tensors(made.clip, ""))
    save(beside / "t5.safetensors", own_tensors(made.t5))
    save(beside / "decoder.safetensors", vae_tensors(made.vae, ""))
    chosen = {"forge_additional_modules": ["decoder.safetensors"]}
    image = generate(request(settings=chosen), tools).images[0].image
    write_flux(models / "whole.safetensors", made)
    tools.models.library.refresh()
    assert pixels(image).tolist() == pixels(picture(tools, request("whole"))).tolist()
