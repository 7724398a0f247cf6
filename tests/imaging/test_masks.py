"""What is not masked comes back bit by bit, and what is masked is where it was asked."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from modules.imaging.blur import ONE, blur_mask, fixed_weights
from modules.imaging.masks import (
    composite,
    cut_out,
    expanded_box,
    filled,
    flattened,
    grey_mask,
    latent_mask,
    masked_region,
    overlay_of,
    padded_box,
    paste_back,
    prepared_mask,
    whole_region,
)


def noise(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8))


def square(width: int = 64, height: int = 48, box: tuple[int, int, int, int] = (20, 10, 40, 30)) -> Image.Image:
    mask = Image.new("L", (width, height))
    mask.paste(255, box)
    return mask


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_blurred_masks_are_those_of_a1111(parity: Path) -> None:
    """The reference returns the mask that it drew with."""
    case = json.loads((parity / "cases" / "inpaint" / "save_mask.json").read_text(encoding="utf-8"))
    request = case["request"]
    mask = prepared_mask(decoded(request["mask"]), blur_x=request["mask_blur"], blur_y=request["mask_blur"])
    ours = whole_region(mask, request["width"], request["height"]).overlay
    theirs = Image.open(parity / "cases" / case["images"][1]["file"])
    assert ImageChops.difference(ours, theirs.convert("L")).getbbox() is None


@pytest.mark.parametrize("sigma", [0.3, 1, 2, 4, 8, 13.5, 64])
def test_weights_are_symmetric_and_lose_nothing(sigma: float) -> None:
    weights = fixed_weights(sigma)
    assert sum(weights) == ONE
    assert weights == weights[::-1]
    assert len(weights) == 2 * int(2.5 * sigma + 0.5) + 1


@given(st.integers(0, 255), st.integers(1, 20), st.integers(1, 20), st.floats(0, 30), st.floats(0, 30))
def test_an_even_mask_stays_as_it_is(value, width, height, sigma_x, sigma_y) -> None:
    mask = Image.new("L", (width, height), value)
    assert blur_mask(mask, sigma_x, sigma_y).getcolors() == [(width * height, value)]


def test_a_blur_goes_in_the_asked_direction() -> None:
    mask = square()
    across, down = np.asarray(blur_mask(mask, 4, 0)), np.asarray(blur_mask(mask, 0, 4))
    assert (across[:10] == 0).all()
    assert across[20, 18] > 0
    assert (down[:, :20] == 0).all()
    assert down[8, 30] > 0


def test_the_mask_of_a_picture_is_its_transparency_or_its_brightness() -> None:
    clear = Image.new("RGBA", (2, 1), (255, 255, 255, 0))
    clear.putpixel((1, 0), (0, 0, 0, 200))
    assert list(np.asarray(grey_mask(clear)).ravel()) == [0, 255]
    assert list(np.asarray(grey_mask(clear, round_alpha=False)).ravel()) == [0, 200]
    opaque = Image.new("RGBA", (1, 1), (255, 255, 255, 255))
    assert grey_mask(opaque).getpixel((0, 0)) == 255
    assert prepared_mask(opaque, invert=True).getpixel((0, 0)) == 0


@pytest.mark.parametrize(
    ("box", "size", "expanded"),
    [
        ((20, 10, 40, 30), (64, 64), (20, 10, 40, 30)),
        ((20, 10, 40, 20), (64, 64), (20, 5, 40, 25)),
        ((20, 0, 40, 10), (64, 64), (20, 0, 40, 20)),
        ((20, 40, 40, 48), (64, 64), (20, 28, 40, 48)),
        ((0, 0, 64, 10), (64, 64), (0, 0, 64, 48)),
        ((20, 10, 30, 30), (128, 64), (5, 10, 45, 30)),
    ],
)
def test_boxes_grow_to_the_proportions(box, size, expanded) -> None:
    assert expanded_box(box, *size, 64, 48) == expanded


@given(st.tuples(*[st.integers(0, 99)] * 4), st.integers(1, 300), st.integers(1, 300), st.integers(0, 300))
def test_boxes_stay_inside_and_cover_what_they_did(sides, width, height, padding) -> None:
    left, right = sorted(sides[:2])
    top, bottom = sorted(sides[2:])
    mask = square(100, 100, (left, top, right + 1, bottom + 1))
    box = padded_box(mask, padding)
    assert box is not None
    grown = expanded_box(box, width, height, 100, 100)
    assert 0 <= grown[0] <= box[0] < box[2] <= grown[2] <= 100
    assert 0 <= grown[1] <= box[1] < box[3] <= grown[3] <= 100


def test_an_empty_mask_has_no_region() -> None:
    assert masked_region(Image.new("L", (64, 48)), 64, 64) is None
    assert padded_box(Image.new("L", (64, 48)), 9) is None


@given(st.integers(0, 8), st.booleans())
def test_what_is_not_masked_is_the_original_bit_by_bit(blur: int, cropped: bool) -> None:
    image = noise()
    mask = prepared_mask(square(), blur_x=blur, blur_y=blur)
    region = masked_region(mask, 64, 64, 4) if cropped else whole_region(mask, *image.size)
    assert region is not None
    drawn = Image.new("RGB", (64, 64) if cropped else image.size, "lime")
    result = paste_back(drawn, overlay_of(image, region.overlay), region.box)
    untouched = np.asarray(mask) == 0
    assert np.array_equal(np.asarray(result)[untouched], np.asarray(image)[untouched])
    if blur < 4:  # wider blurs leave no pixel that is wholly masked
        assert result.getpixel((30, 20)) == (0, 255, 0)


def test_a_black_mask_returns_the_input_exactly() -> None:
    image = noise()
    region = whole_region(Image.new("L", image.size), *image.size)
    result = paste_back(Image.new("RGB", image.size, "lime"), overlay_of(image, region.overlay))
    assert np.array_equal(np.asarray(result), np.asarray(image))


def test_what_is_cut_out_lies_under_its_mask() -> None:
    image, mask = noise(), square()
    region = masked_region(mask, 128, 128, 0)
    assert region is not None
    assert region.box == (20, 10, 40, 30)
    assert region.mask.getextrema() == (255, 255)
    assert cut_out(image, region.box, 128, 128).size == (128, 128)


def test_filling_takes_the_colours_around() -> None:
    image = Image.new("RGB", (64, 48), (200, 40, 10))
    image.paste((0, 0, 255), (20, 10, 40, 30))
    result = np.asarray(filled(image, square()).convert("RGB"), int)
    assert abs(result - (200, 40, 10)).max() <= 6
    kept = filled(noise(), Image.new("L", (64, 48)))
    assert np.array_equal(np.asarray(kept), np.asarray(noise()))


def test_transparency_shows_the_background() -> None:
    clear = Image.new("RGBA", (1, 1), (0, 0, 0, 0))
    assert flattened(clear, "#ff8000").getpixel((0, 0)) == (255, 128, 0)
    assert flattened(Image.new("L", (1, 1), 9), "#ff8000").getpixel((0, 0)) == (9, 9, 9)


def test_latent_masks_are_black_or_white_unless_soft() -> None:
    mask = prepared_mask(square(), blur_x=6, blur_y=6)
    hard, soft = latent_mask(mask, 8, 6), latent_mask(mask, 8, 6, soft=True)
    assert hard.shape == soft.shape == (6, 8)
    assert set(np.unique(hard)) == {0.0, 1.0}
    assert len(np.unique(soft)) > 2
    assert np.array_equal(hard, np.round(soft))


def test_the_composite_is_the_rest_of_the_overlay() -> None:
    cut = composite(noise(), square())
    assert cut.getchannel("A").getbbox() == (20, 10, 40, 30)
    assert cut.getpixel((25, 15))[:3] == noise().getpixel((25, 15))
