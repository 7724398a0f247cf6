"""Does the model that the studio ships obey? Asked through the product itself, read off the pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modules.generation import GenerationRequest, Source, generate, open_tools
from modules.generation.tools import Tools
from tools.mini import benchmark

pytestmark = pytest.mark.slow

MODEL = "models/Stable-diffusion/atelier-mini.safetensors"
SIZE = 128
ASKED = GenerationRequest(
    sampler="Euler a", steps=20, cfg_scale=7.0, width=SIZE, height=SIZE, checkpoint="atelier-mini"
)


@pytest.fixture(scope="module")
def tools(root: Path) -> Tools:
    if not (root / MODEL).exists():
        pytest.skip(f"{MODEL} is not here")
    return open_tools(root / "models/Stable-diffusion", device="cpu")


@pytest.fixture(scope="module")
def draw(tools: Tools) -> benchmark.Draw:
    def draw(prompt: str, seed: int, negative: str = "") -> Image.Image:
        request = ASKED.with_(prompt=prompt, negative_prompt=negative, seed=seed)
        return generate(request, tools).images[0].image

    return draw


@pytest.mark.timeout(3000)
def test_pictures_show_what_held_out_captions_ask_for(draw: benchmark.Draw) -> None:
    score = benchmark.obedience(draw, 300)
    for name, least in benchmark.LEAST.items():
        assert score.rate(name) >= least, score


def test_a_negative_prompt_keeps_day_or_night_away(draw: benchmark.Draw) -> None:
    against_day, without, against_night = benchmark.negative_effect(draw)
    assert against_day < without < against_night


def test_emphasis_makes_red_redder(draw: benchmark.Draw) -> None:
    weaker, plain, stronger = benchmark.emphasis_effect(draw)
    assert weaker < plain < stronger


def test_prompt_editing_ends_between_the_two_prompts(draw: benchmark.Draw) -> None:
    red, edited, blue = benchmark.editing_effect(draw)
    assert red > edited > blue


def test_strength_says_how_far_a_picture_goes_from_its_source(tools: Tools) -> None:
    def redraw(picture: Image.Image, prompt: str, seed: int, strength: float) -> Image.Image:
        request = ASKED.with_(prompt=prompt, seed=seed, denoising_strength=strength, source=Source(images=(picture,)))
        return generate(request, tools).images[0].image

    distances = benchmark.strength_effect(redraw)
    assert distances == sorted(distances)
