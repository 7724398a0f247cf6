"""Outpainting: the picture goes on beyond its edges, and stays what it was behind the seam."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modules.generation import GenerationRequest, Mask, Source, Tools, generate
from modules.generation.infotext import parse
from modules.generation.restore import restore
from modules.terms.errors import BadRequest
from modules.terms.result import GenerationResult

REQUEST = GenerationRequest(prompt="a house", steps=2, seed=3, width=512, height=64, denoising_strength=1.0)


def noise(width: int, height: int, seed: int = 2) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


def extended(tools: Tools, source: Source, *sides: Any, **changes: Any) -> GenerationResult:
    return generate(REQUEST.with_(source=source, scripts={"Outpaint": (True, *sides)}, **changes), tools)


@pytest.mark.parametrize("content", ["continued", "fill", "latent noise", "latent nothing"])
@pytest.mark.parametrize("sides", [(16, 0, 0, 0), (0, 24, 8, 0), (8, 8, 8, 8)], ids=["left", "right and up", "all"])
def test_it_grows_by_what_was_asked_and_keeps_what_lies_behind_the_seam(
    tools: Tools, sides: tuple[int, int, int, int], content: str
) -> None:
    picture, blend = noise(64, 72), 16
    left, right, up, down = sides
    result = extended(tools, Source((picture,)), *sides, blend, content, batch_size=2)
    for image in result.images:
        assert image.image.size == (64 + left + right, 72 + up + down)
        back = pixels(image.image)[up : up + 72, left : left + 64]
        deep = np.s_[
            blend * bool(up) : 72 - blend * bool(down),
            blend * bool(left) : 64 - blend * bool(right),
        ]
        assert np.array_equal(back[deep], pixels(picture)[deep])
        assert not np.array_equal(back, pixels(picture))
    first, second = (pixels(image.image) for image in result.images)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("size", "sides"), [((61, 70), (5, 0, 0, 0)), ((64, 67), (0, 0, 0, 3)), ((65, 64), (0, 7, 0, 0))]
)
def test_sizes_that_are_no_multiples_of_eight_come_out_to_the_pixel(
    tools: Tools, size: tuple[int, int], sides: tuple[int, int, int, int]
) -> None:
    result = extended(tools, Source((noise(*size),)), *sides, 8)
    left, right, up, down = sides
    assert result.images[0].image.size == (size[0] + left + right, size[1] + up + down)


def test_a_mask_of_the_picture_is_repainted_as_well(tools: Tools) -> None:
    picture = noise(64, 64)
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).rectangle((40, 40, 55, 55), fill=255)
    result = extended(tools, Source((picture,), mask=Mask(mask, blur_x=0, blur_y=0)), 16, 0, 0, 0, 8)
    back = pixels(result.images[0].image)[:, 16:]
    changed = (back != pixels(picture)).any(axis=-1)
    assert changed[40:56, 40:56].mean() > 0.9
    changed[40:56, 40:56] = False
    assert not changed[:, 8:].any()


def test_its_text_names_it_and_its_request_does_it_again(tools: Tools) -> None:
    source = Source((noise(64, 64),))
    result = extended(tools, source, 16, 0, 8, 0, 24, "fill")
    text = result.images[0].infotext
    assert "Size: 80x72" in text
    assert (
        "Outpaint: True, Outpaint left: 16, Outpaint right: 0, Outpaint up: 8, Outpaint down: 0, Outpaint seam: 24, "
        "Outpaint content: fill" in text
    )
    again = generate(result.request, tools)
    assert again.images[0].image.tobytes() == result.images[0].image.tobytes()
    assert again.images[0].infotext == text
    back = restore(parse(text)).request
    assert back.scripts == {"Outpaint": (True, 16, 0, 8, 0, 24, "fill")}


def test_soft_inpainting_takes_part(tools: Tools) -> None:
    scripts = {"Outpaint": (True, 16, 0, 0, 0, 16), "Soft Inpainting": (True,)}
    result = generate(REQUEST.with_(source=Source((noise(64, 64),)), scripts=scripts), tools)
    assert result.images[0].image.size == (80, 64)
    assert "Soft inpainting enabled: True" in result.images[0].infotext


def test_off_and_without_a_picture_it_changes_nothing(tools: Tools) -> None:
    source = Source((noise(64, 64),))
    off = generate(REQUEST.with_(width=64, source=source, scripts={"Outpaint": (False, 16)}), tools)
    assert (
        off.images[0].image.tobytes()
        == generate(REQUEST.with_(width=64, source=source), tools).images[0].image.tobytes()
    )
    assert "Outpaint" not in off.images[0].infotext
    drawn = generate(REQUEST.with_(width=64, scripts={"Outpaint": (True, 16)}), tools)
    assert drawn.images[0].image.size == (64, 64)


def test_what_cannot_be_extended_is_said(tools: Tools) -> None:
    source = Source((noise(64, 64),))
    with pytest.raises(BadRequest, match="no side"):
        extended(tools, source)
    with pytest.raises(BadRequest, match="one size"):
        extended(tools, Source((noise(64, 64), noise(72, 64))), 8, batch_size=2)
    with pytest.raises(BadRequest, match="between 0 and 2048"):
        extended(tools, source, -8)
