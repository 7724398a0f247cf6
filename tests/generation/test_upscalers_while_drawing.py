"""Hires fix and img2img enlarge with whatever upscaler is asked for, tell its tiles and stop between two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.enhance.upscaler import Upscaler, Work, simple_upscalers
from modules.generation import GenerationRequest, Hires, Source, Tools, generate
from modules.terms.errors import Cancelled, Interrupted, NotFound
from modules.terms.progress import Progress

QUICK = GenerationRequest(prompt="a cat", steps=2, width=64, height=64, seed=3)
HIRES = QUICK.with_(hires=Hires(scale=2, upscaler="Slow"), denoising_strength=0.5)


@pytest.fixture
def slow(tools: Tools) -> Tools:
    """Tools with an upscaler that goes on in four tiles."""

    def once(image: Image.Image, scale: float, work: Work) -> Image.Image:
        for tile in range(4):
            work.done(tile + 1, 4)
        return image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST)

    upscalers = simple_upscalers()
    upscalers.add(Upscaler("Slow", once, 2.0))
    return tools.with_(upscalers=upscalers)


def test_tiles_of_hires_are_told_and_are_no_share_of_the_job(slow: Tools) -> None:
    told: list[Progress] = []
    result = generate(HIRES, slow, lambda progress, preview=None: told.append(progress))
    tiles = [progress for progress in told if progress.phase == "upscaling" and progress.steps]
    assert [(progress.step, progress.steps, progress.fraction) for progress in tiles] == [
        (tile, 4, 0.5) for tile in (1, 2, 3, 4)
    ]
    shares = [progress.fraction for progress in told]
    assert shares == sorted(shares)
    assert result.images[0].image.size == (128, 128)
    assert "Hires upscaler: Slow" in result.images[0].infotext


def stopping(error: type[Exception], tile: int = 2) -> Any:
    def watch(progress: Progress, preview: Any = None) -> None:
        if progress.phase == "upscaling" and progress.step == tile:
            raise error

    return watch


def test_an_interrupt_between_tiles_keeps_the_first_pass(slow: Tools) -> None:
    first = generate(QUICK, slow).images[0].image
    result = generate(HIRES, slow, stopping(Interrupted))
    assert result.interrupted
    assert np.array_equal(np.asarray(result.images[0].image), np.asarray(first))
    assert not result.images[0].complete
    with pytest.raises(Cancelled):
        generate(HIRES, slow, stopping(Cancelled))


def test_img2img_enlarges_small_pictures_with_the_chosen_upscaler(slow: Tools) -> None:
    request = QUICK.with_(
        source=Source((Image.new("RGB", (32, 32), "green"),)),
        denoising_strength=0.5,
        settings={"upscaler_for_img2img": "Slow"},
    )
    told: list[Progress] = []
    generate(request, slow, lambda progress, preview=None: told.append(progress))
    assert sum(progress.phase == "upscaling" for progress in told) == 4
    told.clear()
    large = Source((Image.new("RGB", (64, 64), "green"),))
    generate(request.with_(source=large), slow, lambda progress, preview=None: told.append(progress))
    assert not [progress for progress in told if progress.phase == "upscaling"]


def test_a_missing_upscaler_is_told_with_its_folder(slow: Tools) -> None:
    with pytest.raises(NotFound, match="RealESRGAN_x4plus.pth.*models/RealESRGAN"):
        generate(HIRES.with_(hires=Hires(upscaler="R-ESRGAN 4x+")), slow)


def test_it_is_told_before_anything_is_drawn(slow: Tools) -> None:
    told: list[Progress] = []
    with pytest.raises(NotFound):
        generate(
            HIRES.with_(hires=Hires(upscaler="no such")), slow, lambda progress, preview=None: told.append(progress)
        )
    assert told == []
