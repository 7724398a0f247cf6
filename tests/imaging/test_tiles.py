"""Tiles cover a picture, and joined they are that picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.tiles import in_tiles, tiling


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (height, width, *channels), dtype=np.uint8))


sizes = st.integers(1, 90)


@given(sizes, sizes, st.integers(2, 40), st.integers(2, 40), st.data())
def test_tiles_are_alike_inside_and_overlap(width, height, tile_width, tile_height, data) -> None:
    overlap = data.draw(st.integers(0, min(tile_width, tile_height) - 1))
    plan = tiling(width, height, tile_width, tile_height, overlap)
    for spans, side, tile in ((plan.columns, width, tile_width), (plan.rows, height, tile_height)):
        assert spans[0].start == 0
        assert spans[-1].end == side
        assert {span.end - span.start for span in spans} == {min(side, tile)}
        for before, after in zip(spans, spans[1:], strict=False):
            assert before.start < after.start
            assert before.end - after.start >= overlap


@given(sizes, sizes, st.just(0) | st.integers(9, 40), st.sampled_from(["L", "RGB", "RGBA"]))
@settings(max_examples=30)
def test_untouched_tiles_join_to_the_picture(width, height, tile, mode) -> None:
    image = noise(width, height, mode)
    joined = in_tiles(image, tiling(width, height, tile, tile, 8), lambda one: one)
    assert joined.mode == mode
    assert np.array_equal(np.asarray(joined), np.asarray(image))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_enlarged_tiles_join_to_the_enlarged_picture(factor: int) -> None:
    image = noise(70, 50)

    def enlarge(tile: Image.Image) -> Image.Image:
        return tile.resize((tile.width * factor, tile.height * factor), Image.Resampling.NEAREST)

    joined = in_tiles(image, tiling(70, 50, 32, 24, 8), enlarge)
    assert np.array_equal(np.asarray(joined), np.asarray(enlarge(image)))


def test_neighbours_fade_into_each_other() -> None:
    values = iter((0, 200))
    joined = in_tiles(
        Image.new("L", (48, 8)), tiling(48, 8, 32, 8, 16), lambda tile: Image.new("L", tile.size, next(values))
    )
    row = np.asarray(joined)[0].astype(int)
    assert (row[:16] == 0).all()
    assert (row[32:] == 200).all()
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() <= 200 / 16 + 1


def test_no_tile_means_the_whole() -> None:
    assert len(tiling(100, 50, 0, 0, 8)) == 1
    assert list(tiling(100, 50, 0, 0, 8).boxes()) == [(0, 0, 100, 50)]
    with pytest.raises(ValueError, match="overlap"):
        tiling(100, 100, 32, 32, 32)
