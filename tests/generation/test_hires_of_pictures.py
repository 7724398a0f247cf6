"""Hires fix: every way to enlarge, passes of their own, and a picture that is there in place of the first."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modules.generation import GenerationRequest, Hires, Tools, generate
from modules.generation.hires import LATENT_MODES
from modules.generation.infotext import parse
from modules.generation.restore import restore
from modules.terms.errors import Interrupted, NotFound
from modules.terms.hires_size import target_of
from modules.terms.progress import Progress
from modules.terms.result import GenerationResult

REQUEST = GenerationRequest(prompt="a house", steps=2, seed=3, width=64, height=64, denoising_strength=0.6)


def enlarged(tools: Tools, hires: Hires, **changes: object) -> GenerationResult:
    return generate(REQUEST.with_(hires=hires, **changes), tools)


@pytest.fixture(scope="module")
def picture(tools: Tools) -> Image.Image:
    return generate(REQUEST, tools).images[0].image


@pytest.mark.parametrize("upscaler", ["Lanczos", "Nearest", "None"])
def test_a_picture_of_the_first_pass_is_continued_as_that_was(
    tools: Tools, picture: Image.Image, upscaler: str
) -> None:
    """Pixel upscalers see pictures only, so both ways must give the same, text and all."""
    through = enlarged(tools, Hires(upscaler=upscaler))
    onto = enlarged(tools, Hires(upscaler=upscaler, picture=picture))
    assert onto.images[0].image.tobytes() == through.images[0].image.tobytes()
    assert onto.images[0].infotext == through.images[0].infotext
    assert len(onto.images) == 1


def test_so_is_its_text_with_other_samplers_schedules_and_prompts(tools: Tools, picture: Image.Image) -> None:
    own = Hires(1.5, "Lanczos", 3, sampler="DPM++ 2M", scheduler="Exponential", prompt="a (tree:1.3)")
    for first in ("Euler", "DPM++ 2M", "DDIM"):
        through = enlarged(tools, own, sampler=first)
        onto = generate(through.request.with_(hires=Hires(**{**vars(own), "picture": picture})), tools)
        assert onto.images[0].infotext == through.images[0].infotext
        assert "Hires sampler" in onto.images[0].infotext or first == "DPM++ 2M"


@pytest.mark.parametrize("upscaler", list(LATENT_MODES))
def test_latent_modes_encode_it_first(tools: Tools, picture: Image.Image, upscaler: str) -> None:
    result = enlarged(tools, Hires(1.5, upscaler, picture=picture), batch_size=2)
    assert [image.image.size for image in result.images] == [(96, 96)] * 2
    assert result.images[0].image.tobytes() != result.images[1].image.tobytes()
    other = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = enlarged(tools, Hires(1.5, upscaler, picture=other))
    assert turned.images[0].image.tobytes() != result.images[0].image.tobytes()


@pytest.mark.parametrize("upscaler", ["Latent", "Lanczos"])
def test_any_size_and_any_mode_of_picture_will_do(tools: Tools, upscaler: str) -> None:
    odd = Image.fromarray(np.random.default_rng(1).integers(0, 256, (75, 101, 4), np.uint8), "RGBA")
    result = enlarged(tools, Hires(2, upscaler, picture=odd), width=101, height=75)
    assert result.images[0].image.size == (200, 144)
    fitted = enlarged(tools, Hires(2, upscaler, resize_x=128, resize_y=128, picture=odd), width=101, height=75)
    assert fitted.images[0].image.size == (128, 128)


def test_it_stays_out_of_what_is_saved_before_hires_fix(tools: Tools, picture: Image.Image) -> None:
    settings = {"save_images_before_highres_fix": True}
    assert len(enlarged(tools, Hires(picture=picture), settings=settings).images) == 1
    assert len(enlarged(tools, Hires(), settings=settings).images) == 2


def test_its_text_asks_for_a_whole_hires_fix(tools: Tools, picture: Image.Image) -> None:
    text = enlarged(tools, Hires(upscaler="Lanczos", picture=picture)).images[0].infotext
    back = restore(parse(text)).request
    assert (back.width, back.height, back.denoising_strength) == (64, 64, 0.6)
    assert back.hires == Hires(upscaler="Lanczos")


def test_an_interruption_leaves_the_picture(tools: Tools, picture: Image.Image) -> None:
    def watch(progress: Progress, preview: object = None) -> None:
        if progress.phase == "upscaling" and progress.steps:
            raise Interrupted("enough")

    request = REQUEST.with_(hires=Hires(upscaler="Lanczos", picture=picture))
    try:
        result = generate(request, tools, watch)
    except Interrupted:
        pytest.fail("the picture was lost")
    assert result.images[0].image.size in ((64, 64), (128, 128))


@pytest.mark.parametrize("upscaler", list(LATENT_MODES))
def test_latent_modes_draw_at_the_target(tools: Tools, upscaler: str) -> None:
    result = enlarged(tools, Hires(1.5, upscaler, steps=1, sampler="DDIM", prompt="a tree"))
    assert result.images[0].image.size == (96, 96)
    assert f"Hires upscaler: {upscaler}" in result.images[0].infotext
    assert "Hires sampler: DDIM" in result.images[0].infotext
    assert "Hires prompt: a tree" in result.images[0].infotext


def test_an_upscaler_that_is_not_there_is_told_before_anything_is_drawn(tools: Tools) -> None:
    heard: list[Progress] = []
    with pytest.raises(NotFound, match="Lanczos"):
        generate(REQUEST.with_(hires=Hires(upscaler="Lanzos")), tools, lambda one, preview=None: heard.append(one))
    assert not [one for one in heard if one.phase == "sampling"]


@pytest.mark.parametrize(
    ("asked", "enlarged_to", "size"),
    [
        ((2.0, 0, 0), (1024, 768), (1024, 768)),
        ((1.3, 0, 0), (665, 499), (665, 499)),
        ((2.0, 768, 0), (768, 576), (768, 576)),
        ((2.0, 0, 768), (1024, 768), (1024, 768)),
        ((2.0, 768, 768), (1024, 768), (768, 768)),
        ((2.0, 1024, 512), (1024, 768), (1024, 512)),
    ],
)
def test_targets(asked: tuple[float, int, int], enlarged_to: tuple[int, int], size: tuple[int, int]) -> None:
    scale, width, height = asked
    target = target_of(Hires(scale=scale, resize_x=width, resize_y=height), 512, 384)
    assert (target.enlarged, target.size) == (enlarged_to, size)
    assert (target.cut_x, target.cut_y) == tuple(
        (one - other) // 8 for one, other in zip(enlarged_to, size, strict=True)
    )
