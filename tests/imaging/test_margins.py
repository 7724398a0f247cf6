"""Pictures made wider: what was there stays, what is added goes on from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.margins import Margins, distance_outside, seam, texture_like, widened

sides = st.integers(0, 40)
margins = st.builds(Margins, sides, sides, sides, sides)
sizes = st.tuples(st.integers(1, 50), st.integers(1, 50))


def noise(size: tuple[int, int], seed: int = 1) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))


@settings(max_examples=30, deadline=None)
@given(sizes, margins)
def test_the_picture_stays_where_the_mask_is_not(size: tuple[int, int], around: Margins) -> None:
    wide = widened(noise(size), around)
    assert wide.size == around.around(size) == seam(size, around, 8).size
    assert wide.crop(around.box(size)).tobytes() == noise(size).tobytes()


@settings(max_examples=30, deadline=None)
@given(sizes, margins, st.integers(0, 32))
def test_the_mask_is_white_outside_and_reaches_in_no_deeper_than_asked(
    size: tuple[int, int], around: Margins, blend: int
) -> None:
    mask = np.asarray(seam(size, around, blend))
    left, top, right, bottom = around.box(size)
    outside = np.ones(mask.shape, bool)
    outside[top:bottom, left:right] = False
    assert (mask[outside] == 255).all()
    deep = np.zeros(mask.shape, bool)
    deep[
        top + blend * bool(around.top) : max(0, bottom - blend * bool(around.bottom)),
        left + blend * bool(around.left) : max(0, right - blend * bool(around.right)),
    ] = True
    assert (mask[deep] == 0).all()


def test_the_mask_falls_evenly() -> None:
    row = np.asarray(seam((64, 4), Margins(left=8), 16))[2].astype(int)
    assert (np.diff(row) <= 0).all()
    assert row[7] == 255
    assert 100 < row[8 + 8] < 150
    assert row[8 + 16] == 0


def test_colours_go_on_from_the_edge_and_fade_into_their_surroundings() -> None:
    """A picture red on the left and blue on the right is extended in red on the left and in blue on the right."""
    picture = Image.new("RGB", (64, 64), "red")
    picture.paste((0, 0, 255), (32, 0, 64, 64))
    wide = np.asarray(widened(picture, Margins(left=32, right=32))).astype(int)
    assert wide[:, :24, 0].mean() > 150 > 60 > wide[:, :24, 2].mean()
    assert wide[:, -24:, 2].mean() > 150 > 60 > wide[:, -24:, 0].mean()


def test_the_edge_itself_is_continued() -> None:
    picture = noise((32, 32))
    wide = np.asarray(widened(picture, Margins(left=40))).astype(int)
    assert np.abs(wide[:, 39] - wide[:, 40]).max() <= 3
    assert np.abs(wide[:, 0] - wide[:, 1]).mean() > 3


@pytest.mark.parametrize("size", [(64, 64), (150, 90)])
def test_texture_has_the_contrast_and_the_direction_of_the_picture(size: tuple[int, int]) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 200
    texture = texture_like(Image.fromarray(stripes), size, 3)
    assert texture.shape == (size[1], size[0], 3)
    inner = np.asarray(Image.fromarray(stripes)).astype(float)
    assert texture.std() == pytest.approx(inner.std(), rel=0.15)
    across, down = np.diff(texture, axis=1).std(), np.diff(texture, axis=0).std()
    assert across > 5 * down
    assert np.allclose(texture[..., 0], texture[..., 1], atol=1e-3)


def test_a_flat_picture_has_no_texture() -> None:
    flat = Image.new("RGB", (32, 24), (10, 200, 90))
    assert np.asarray(widened(flat, Margins(8, 8, 8, 8))).reshape(-1, 3).std(axis=0).max() == 0


def test_distances_are_those_to_the_picture() -> None:
    away = distance_outside((4, 4), Margins(3, 4, 0, 0))
    assert away[0, 0] == 5
    assert away[4:, 3:].max() == 0
    assert away[4, 0] == 3
