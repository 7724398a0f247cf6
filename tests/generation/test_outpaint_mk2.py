"""A1111's Outpainting mk2, held to its recording; and its geometry, side by side."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.generation import GenerationRequest, Source, Tools, generate, open_tools
from modules.generation.outpaint_mk2 import Mk2, completed_sides, outpaint_mk2
from modules.imaging.matched_noise import from_frequencies, matched, to_frequencies, with_matched_noise
from modules.terms.errors import BadRequest
from modules.terms.result import GenerationResult

REQUEST = GenerationRequest(prompt="a house", steps=1, seed=3, width=64, height=64, denoising_strength=0.8)


def noise(width: int, height: int, seed: int = 2) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def psnr(one: Image.Image, other: Image.Image) -> float:
    difference = np.asarray(one.convert("RGB")).astype(float) - np.asarray(other.convert("RGB")).astype(float)
    error = float((difference**2).mean())
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


def test_it_draws_what_a1111_drew(parity: Path) -> None:
    case = json.loads((parity / "cases" / "scripts" / "outpaint_mk2.json").read_text())
    asked = case["request"]
    picture = Image.open(io.BytesIO(base64.b64decode(asked["init_images"][0].split(",")[-1])))
    _, pixels, blur, directions, falloff, variation = asked["script_args"]
    names = ("prompt", "steps", "seed", "width", "height", "cfg_scale", "denoising_strength")
    request = GenerationRequest(**{name: asked[name] for name in names}, source=Source((picture,)))
    tools = open_tools(parity / "models" / "Stable-diffusion", settings={"randn_source": "CPU"}, device="cpu")
    request = request.with_(checkpoint="parity-sd1")
    options = Mk2(pixels, blur, tuple(directions), falloff, variation)
    result = outpaint_mk2(request, options, lambda one, number, count: generate(one, tools))
    recorded = Image.open(parity / "cases" / case["images"][0]["file"])
    assert result.images[0].image.size == recorded.size
    assert psnr(result.images[0].image, recorded) > 50
    for entry in ("Seed: 2000", "Size: 64x64", "Denoising strength: 0.8"):
        assert entry in result.images[0].infotext
    assert "Mask blur" not in result.images[0].infotext


@pytest.mark.parametrize(
    ("size", "directions", "wanted"),
    [
        ((64, 64), ("left", "right"), (32, 32, 0, 0)),
        ((64, 64), ("left",), (64, 0, 0, 0)),
        ((100, 60), ("right", "up", "down"), (0, 92, 34, 34)),
        ((64, 64), (), (0, 0, 0, 0)),
    ],
)
def test_sides_add_up_to_multiples_of_64(
    size: tuple[int, int], directions: tuple[str, ...], wanted: tuple[int, ...]
) -> None:
    assert tuple(completed_sides(size, 32, directions).values()) == wanted


def test_all_sides_and_several_pictures(tools: Tools) -> None:
    seen: list[tuple[int, int]] = []

    def draw(request: GenerationRequest, number: int, count: int) -> GenerationResult:
        seen.append((number, count))
        return generate(request, tools)

    request = REQUEST.with_(source=Source((noise(64, 64),)), batch_size=2, n_iter=2)
    result = outpaint_mk2(request, Mk2(32, 0), draw)
    assert [image.image.size for image in result.images] == [(128, 128)] * 4
    assert seen == [(number, 8) for number in range(8)]
    assert len({image.image.tobytes() for image in result.images}) == 4
    middle = np.s_[56:72, 56:72]
    for image in result.images:
        assert np.array_equal(np.asarray(image.image)[middle], np.asarray(noise(64, 64))[24:40, 24:40])


def test_it_needs_a_picture_and_a_side(tools: Tools) -> None:
    def draw(request: GenerationRequest, number: int, count: int) -> GenerationResult:
        return generate(request, tools)

    with pytest.raises(BadRequest, match="picture"):
        outpaint_mk2(REQUEST, Mk2(), draw)
    with pytest.raises(BadRequest, match="no side"):
        outpaint_mk2(REQUEST.with_(source=Source((noise(64, 64),))), Mk2(directions=()), draw)


def test_noise_has_the_colours_of_what_is_there() -> None:
    picture, mask = Image.new("RGB", (64, 64)), Image.new("L", (64, 64), 255)
    gradient = Image.linear_gradient("L").resize((32, 64))
    picture.paste(Image.merge("RGB", (gradient, gradient.point(lambda value: value // 4), gradient)), (0, 0))
    mask.paste(0, (0, 0, 32, 64))
    made = np.asarray(with_matched_noise(picture, mask)).astype(float)
    assert np.array_equal(made[:, :32], np.asarray(picture)[:, :32])
    for channel in range(3):
        assert made[:, 32:, channel].mean() == pytest.approx(made[:, :32, channel].mean(), abs=3)
        assert made[:, 32:, channel].std() == pytest.approx(made[:, :32, channel].std(), rel=0.1)


def test_frequencies_come_back() -> None:
    pixels = np.random.default_rng(0).random((13, 8, 3))
    assert np.allclose(from_frequencies(to_frequencies(pixels)), pixels)
    assert np.array_equal(np.sort(matched(np.array([3.0, 1.0, 2.0]), np.array([10.0, 30.0, 20.0]))), [10, 20, 30])
