"""Maps: what they show, what they leave alone, and what those say that cannot be made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.control.hints import Bytes, border_colour, fitted, hint_of, pixel_perfect_resolution
from modules.control.preprocessors import PREPROCESSORS
from modules.control.preprocessors.depth import NEEDED, depth_of
from modules.terms.control import CROP, FILL, RESIZE_MODES, STRETCH
from modules.terms.errors import BadRequest

WORKING = [entry for entry in PREPROCESSORS if not entry.missing and "Depth" not in entry.tags]


@pytest.fixture
def shapes(drawing: Image.Image) -> Bytes:
    return np.asarray(drawing)


def made(name: str, picture: Bytes, resolution: int = 64, a: float = -1, b: float = -1, seed: int = 0) -> Bytes:
    entry = PREPROCESSORS[name]
    return entry(picture, entry.wish(resolution, a, b, seed=seed))


@pytest.mark.parametrize("name", [entry.name for entry in WORKING])
def test_every_preprocessor_makes_a_map(shapes: Bytes, name: str) -> None:
    entry = PREPROCESSORS[name]
    picture = np.dstack([shapes, shapes[..., :1]]) if entry.takes_mask else shapes
    found = made(name, picture)
    assert found.dtype == np.uint8
    assert found.shape[2] == (4 if entry.takes_mask else 3)
    assert abs(found.shape[1] / found.shape[0] - 1.5) < 0.05
    assert np.array_equal(found, made(name, picture)), "the same picture gives the same map"


@pytest.mark.parametrize("name", ["canny", "scribble_xdog", "softedge_sobel", "lineart_standard"])
def test_lines_lie_at_edges_and_nowhere_else(shapes: Bytes, name: str) -> None:
    found = made(name, shapes).max(axis=2)
    assert found[8:14, 15:35].max() > 100, "the upper edge of the rectangle"
    assert found[:4].max() < 60
    assert made(name, np.full((64, 96, 3), 128, np.uint8)).max() == 0


def test_thresholds_of_canny_are_brightness_steps() -> None:
    step = np.full((64, 64, 3), 100, np.uint8)
    step[:, 32:] = 120
    assert made("canny", step, a=10, b=50).max() == 255
    assert made("canny", step, a=100, b=200).max() == 0


def test_out_of_bounds_means_the_default(shapes: Bytes) -> None:
    assert np.array_equal(made("canny", shapes, a=0, b=999), made("canny", shapes, a=100, b=200))


def test_inverting_twice_is_nothing(shapes: Bytes) -> None:
    assert np.array_equal(made("invert", made("invert", shapes)), shapes)


def test_shuffling_keeps_colours_and_depends_on_the_seed(shapes: Bytes) -> None:
    one, other = made("shuffle", shapes, 128, seed=1), made("shuffle", shapes, 128, seed=2)
    assert not np.array_equal(one, other)
    assert np.array_equal(one, made("shuffle", shapes, 128, seed=1))
    assert not np.array_equal(one, made("none", shapes))
    red = (one[..., 0] > 200) & (one[..., 1] < 80)
    assert red.any()


def test_tiles_get_smaller_and_blurs_smoother(shapes: Bytes) -> None:
    assert made("tile_resample", shapes, a=2).shape == (32, 48, 3)
    assert made("tile_resample", shapes).shape == shapes.shape

    def roughness(picture: Bytes) -> float:
        return float(np.abs(np.diff(picture.astype(int), axis=1)).max())

    assert roughness(made("blur_gaussian", shapes, a=9)) < roughness(made("blur_gaussian", shapes, a=2)) < 255


@pytest.mark.parametrize("entry", [entry for entry in PREPROCESSORS if entry.missing], ids=lambda entry: entry.name)
def test_what_is_not_here_says_so(shapes: Bytes, entry) -> None:
    with pytest.raises(BadRequest, match="with another program"):
        made(entry.name, shapes)


def test_depth_says_which_files_are_missing_and_where_they_go(tmp_path: Path, shapes: Bytes) -> None:
    entry = PREPROCESSORS["depth_anything_v2"]
    with pytest.raises(BadRequest, match="config.json.*model.safetensors") as raised:
        entry(shapes, entry.wish(64, -1, -1, models=tmp_path))
    assert str(tmp_path / "depth_anything_v2") in str(raised.value)


def test_depth_is_made_by_the_network_that_lies_there(tmp_path: Path, shapes: Bytes) -> None:
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    folder = tmp_path / "depth_midas"
    config = DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        is_hybrid=False,
    )
    DPTForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    assert all((folder / name).is_file() for name in NEEDED)
    entry = PREPROCESSORS["depth"]
    found = entry(shapes, entry.wish(64, -1, -1, models=tmp_path))
    assert found.shape == shapes.shape
    assert (found[..., 0] == found[..., 2]).all()
    (folder / "config.json").write_text("{}")
    with pytest.raises(BadRequest, match="cannot be read"):
        depth_of(shapes, folder)


@settings(max_examples=30)
@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 90), st.integers(8, 90), st.sampled_from(RESIZE_MODES))
def test_a_map_gets_exactly_the_size_that_is_drawn(width: int, height: int, to: int, high: int, mode: str) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (height, width, 4), np.uint8)
    found = fitted(picture, to, high, mode)
    assert found.shape == (high, to, 4)
    assert set(np.unique(found[..., 3])) <= {0, 255}


@pytest.mark.parametrize("shape", [(3, 400_000, 3), (400_000, 3, 3)])
def test_a_long_strip_does_not_fill_the_memory(shape: tuple[int, int, int]) -> None:
    """1.2 megapixels that would have 60,000 and more once they cover the picture, or have their short side scaled."""
    strip = np.zeros(shape, np.uint8)
    for work in (lambda: fitted(strip, 512, 512, CROP), lambda: made("canny", strip, 512)):
        with pytest.raises(BadRequest, match="too long and narrow"):
            work()


def test_resizing_mixes_no_flat_colours_and_keeps_lines_white() -> None:
    flat = np.zeros((40, 40, 3), np.uint8)
    flat[:20], flat[20:, :20] = (10, 200, 30), (250, 0, 90)
    colours = {tuple(colour) for colour in fitted(flat, 93, 93, STRETCH).reshape(-1, 3)}
    assert colours == {(0, 0, 0), (10, 200, 30), (250, 0, 90)}
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[::16] = 255
    for side in (150, 48):
        assert set(np.unique(fitted(lines, side, side, STRETCH))) == {0, 255}


def test_filling_paints_the_border_and_masks_it() -> None:
    picture = np.full((20, 20, 4), 0, np.uint8)
    picture[..., :3] = 77
    found = fitted(picture, 60, 20, FILL)
    assert (found[:, :20, :3] == 77).all()
    assert (found[:, :20, 3] == 255).all()
    assert (found[:, 25:35, 3] == 0).all()
    assert list(border_colour(picture)) == [77, 77, 77, 255]


def test_a_masked_hint_is_minus_one() -> None:
    picture = np.full((2, 2, 4), 255, np.uint8)
    picture[0, :, 3] = 0
    hint = hint_of(picture)
    assert hint[0, :, 0].unique().tolist() == [1.0]
    assert hint[0, :, 1].unique().tolist() == [-1.0]


def test_pixel_perfect_needs_no_resizing(shapes: Bytes) -> None:
    for mode in RESIZE_MODES:
        for width, height in ((96, 64), (192, 128), (128, 128)):
            short = pixel_perfect_resolution((96, 64), width, height, mode)
            scaled = np.zeros((round(64 * short / 64), round(96 * short / 64), 3), np.uint8)
            found = fitted(scaled, width, height, mode)
            covered = scaled.shape[0] <= height and scaled.shape[1] <= width
            assert covered if mode == FILL else not covered or scaled.shape == found.shape or mode == STRETCH
    assert pixel_perfect_resolution((96, 64), 192, 128, CROP) == 128
