"""Tiles as A1111 lays them out: every pixel is in one, and untouched tiles give the picture back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.tile_grid import TileGrid


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(4).integers(0, 256, (height, width, 3), np.uint8))


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 40), st.integers(8, 40), st.integers(0, 7))
def test_untouched_tiles_are_the_picture(width: int, height: int, across: int, down: int, overlap: int) -> None:
    picture = noise(width, height)
    grid = TileGrid.over(picture.size, (across, down), overlap)
    tiles = grid.split(picture)
    assert {tile.size for tile in tiles} == {(across, down)}
    # Pillow rounds when it mixes two equal values.
    assert np.abs(np.asarray(grid.joined(tiles)).astype(int) - np.asarray(picture)).max() <= 1


def test_a_tile_fades_in_over_the_overlap() -> None:
    grid = TileGrid.over((24, 16), (16, 16), 8)
    row = np.asarray(grid.joined([Image.new("RGB", (16, 16)), Image.new("RGB", (16, 16), "white")]))[3, :, 0].astype(
        int
    )
    assert row[:9].max() == 0
    assert (np.diff(row) >= 0).all()
    assert abs(row[12] - 127) < 3
    assert row[16:].min() == 255


def test_an_overlap_as_large_as_a_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="16x8"):
        TileGrid.over((24, 24), (16, 8), 8)
