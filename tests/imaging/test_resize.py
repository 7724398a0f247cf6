"""Pictures come out at the size that was asked, in the way that was asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.resize import ResizeMode, resize

sides = st.integers(1, 70)


def halves(width: int, height: int) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


@given(sides, sides, st.integers(8, 90), st.integers(8, 90), st.sampled_from(list(ResizeMode)))
def test_the_size_is_always_the_asked_one(width, height, new_width, new_height, mode) -> None:
    assert resize(Image.new("RGB", (width, height)), new_width, new_height, mode).size == (new_width, new_height)


@given(st.integers(8, 60), st.integers(8, 60), st.integers(8, 60), st.integers(8, 60))
def test_a_picture_of_one_colour_stays_so_when_stretched_or_cropped(width, height, new_width, new_height) -> None:
    image = Image.new("RGB", (width, height), (10, 200, 30))
    for mode in (ResizeMode.STRETCH, ResizeMode.CROP):
        colours = resize(image, new_width, new_height, mode).getcolors()
        # Cropping may leave one row or column uncovered where a side does not divide, as in A1111.
        assert max(colours)[1] == (10, 200, 30)


def test_cropping_keeps_the_middle() -> None:
    cropped = np.asarray(resize(halves(200, 100), 50, 100, ResizeMode.CROP))
    assert tuple(cropped[50, 5]) == (255, 0, 0)
    assert tuple(cropped[50, 45]) == (0, 0, 255)


def test_filling_stretches_the_border_outwards() -> None:
    filled = np.asarray(resize(halves(50, 100), 100, 100, ResizeMode.FILL))
    assert (filled[:, :25] == (255, 0, 0)).all()
    assert (filled[:, 75:] == (0, 0, 255)).all()
    tall = resize(halves(50, 100).rotate(90, expand=True), 100, 100, ResizeMode.FILL)
    top, bottom = tall.getpixel((50, 2)), tall.getpixel((50, 97))
    assert {top, bottom} == {(255, 0, 0), (0, 0, 255)}


def test_enlarging_goes_through_the_upscaler_and_shrinking_does_not() -> None:
    scales = []

    def upscale(image: Image.Image, scale: float) -> Image.Image:
        scales.append(scale)
        return image.resize((image.width * 4, image.height * 4), Image.Resampling.NEAREST)

    assert resize(halves(10, 10), 20, 30, upscale=upscale).size == (20, 30)
    assert resize(halves(100, 100), 20, 30, upscale=upscale).size == (20, 30)
    assert resize(Image.new("L", (10, 10)), 20, 30, upscale=upscale).size == (20, 30)
    assert scales == [3.0]


@pytest.mark.parametrize("mode", list(ResizeMode))
def test_a_mask_stays_grey_when_stretched(mode: ResizeMode) -> None:
    mask = resize(Image.new("L", (40, 40), 200), 80, 80, mode)
    assert mask.convert("L").getpixel((40, 40)) == 200
