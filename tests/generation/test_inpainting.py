"""What img2img and inpainting keep, they keep exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modules.generation import GenerationRequest, Mask, Source, Tools, generate, open_tools
from modules.generation.pixels import pictures_of, pixels_of
from modules.imaging.masks import prepared_mask
from modules.terms.result import GenerationResult

SIZE = 64
SOFT = {"Soft Inpainting": (True,)}


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    noise = np.random.default_rng(5).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    return Image.fromarray(noise)


def disc(size: int = SIZE) -> Image.Image:
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).ellipse((size // 4, size // 4, size // 2, size // 2), fill=255)
    return mask


def redrawn(tools: Tools, picture: Image.Image, mask: Mask | None = None, **changes: object) -> GenerationResult:
    request = GenerationRequest(
        prompt="a house", steps=3, seed=3, width=SIZE, height=SIZE, source=Source((picture,), mask=mask)
    )
    return generate(request.with_(**{"denoising_strength": 0.7, **changes}), tools)


def round_trip(tools: Tools, picture: Image.Image) -> np.ndarray:
    """The picture after the VAE has encoded and decoded it."""
    with tools.models.borrow() as bundle:
        return pixels(pictures_of(bundle.decode(bundle.encode_image(pixels_of([picture]))))[0])


def test_without_denoising_the_picture_goes_through_the_vae_alone(tools: Tools, picture: Image.Image) -> None:
    exact = redrawn(tools, picture, denoising_strength=0, settings={"img2img_fix_steps": True})
    assert np.array_equal(pixels(exact.images[0].image), round_trip(tools, picture))


def test_a_trained_model_returns_it_even_after_the_one_step_that_a1111_takes(parity: Path) -> None:
    """Noise of the lowest level goes in and out again: less than the round trip itself changes."""
    tools = open_tools(parity / "models" / "Stable-diffusion", settings={"randn_source": "CPU"}, device="cpu")
    picture = Image.open(parity / "cases" / "samplers" / "ddim.png").convert("RGB")
    result = redrawn(tools, picture, denoising_strength=0)
    trip = round_trip(tools, picture)
    changed = np.abs(pixels(result.images[0].image) - trip).mean()
    assert changed < np.abs(trip - pixels(picture)).mean() + 1
    assert changed < 3


@pytest.mark.parametrize("scripts", [{}, SOFT], ids=["hard", "soft"])
@pytest.mark.parametrize("fill", [0, 1, 2, 3])
def test_a_black_mask_returns_the_picture(
    tools: Tools, picture: Image.Image, fill: int, scripts: dict[str, tuple[object, ...]]
) -> None:
    mask = Mask(Image.new("L", picture.size), fill=fill)
    result = redrawn(tools, picture, mask, denoising_strength=1.0, scripts=scripts)
    assert np.array_equal(pixels(result.images[0].image), pixels(picture))


@pytest.mark.parametrize("only_masked", [False, True])
@pytest.mark.parametrize("sampler", ["Euler a", "DDIM"])
def test_what_lies_outside_the_blur_keeps_its_bits(
    tools: Tools, picture: Image.Image, only_masked: bool, sampler: str
) -> None:
    mask = Mask(disc(), blur_x=2, blur_y=2, only_masked=only_masked, padding=8)
    result = redrawn(tools, picture, mask, sampler=sampler, n_iter=2)
    outside = np.asarray(prepared_mask(disc(), blur_x=2, blur_y=2)) == 0
    assert 0.5 < outside.mean() < 1
    for image in result.images:
        assert np.array_equal(pixels(image.image)[outside], pixels(picture)[outside])
        assert not np.array_equal(pixels(image.image)[~outside], pixels(picture)[~outside])


def test_only_masked_of_an_empty_mask_draws_the_whole_and_says_so(tools: Tools, picture: Image.Image) -> None:
    mask = Mask(Image.new("L", picture.size), only_masked=True)
    empty, plain = redrawn(tools, picture, mask), redrawn(tools, picture)
    assert empty.images[0].image.tobytes() == plain.images[0].image.tobytes()
    assert any("mask is empty" in note for note in empty.notes)
    assert "Inpaint area" not in empty.images[0].infotext


def test_masks_follow_their_picture_in_order(tools: Tools, picture: Image.Image) -> None:
    settings = {"return_mask": True, "return_mask_composite": True}
    result = redrawn(tools, picture, Mask(disc()), batch_size=2, settings=settings)
    assert [image.kind for image in result.images] == ["sample", "mask", "mask-composite"] * 2
    sample, mask, composite = (image.image for image in result.images[:3])
    assert (mask.mode, composite.mode) == ("RGB", "RGBA")
    # Cut out before the original was laid over it, and laid over the original it is the sample again, but for rounding.
    shown = Image.alpha_composite(picture.convert("RGBA"), composite)
    assert np.abs(pixels(shown) - pixels(sample)).max() <= 2


def test_colour_correction_brings_the_colours_of_the_source(tools: Tools) -> None:
    reds = np.random.default_rng(1).integers(120, 256, (SIZE, SIZE, 1), np.uint8)
    picture = Image.fromarray(np.concatenate([reds, reds // 8, reds // 8], axis=2))
    settings = {"img2img_color_correction": True, "save_images_before_color_correction": True}
    before, after = redrawn(tools, picture, settings=settings).images
    assert (before.kind, before.suffix) == ("before", "-before-color-correction")

    def redness(image: Image.Image) -> float:
        red, green, _ = pixels(image).reshape(-1, 3).mean(axis=0)
        return float(red - green)

    assert redness(after.image) > redness(before.image) + 20


def test_an_inpainting_without_overlay_shows_what_was_drawn(tools: Tools, picture: Image.Image) -> None:
    mask = Mask(disc(), only_masked=True, padding=4)
    bare = redrawn(tools, picture, mask, settings={"overlay_inpaint": False, "return_mask_composite": True})
    assert bare.images[0].image.size == (SIZE, SIZE)
    assert bare.images[1].image.size == (SIZE, SIZE)
    assert not np.array_equal(pixels(bare.images[0].image)[:8], pixels(picture)[:8])


def with_alpha(mask: Image.Image) -> Image.Image:
    """A mask as canvases send it: painted where it is opaque, whatever its colour."""
    sheet = Image.new("RGBA", mask.size, (0, 0, 0, 0))
    sheet.putalpha(mask)
    return sheet


@pytest.mark.parametrize("form", [Image.Image.copy, with_alpha], ids=["grey", "alpha"])
@pytest.mark.parametrize("invert", [False, True], ids=["masked", "not masked"])
@pytest.mark.parametrize("area", [None, 0, 64], ids=["whole", "padding 0", "padding 64"])
def test_so_do_inverted_masks_masks_with_alpha_and_every_padding(
    tools: Tools, picture: Image.Image, form: Callable[[Image.Image], Image.Image], invert: bool, area: int | None
) -> None:
    blur = {"blur_x": 1, "blur_y": 2}
    mask = Mask(form(disc()), **blur, invert=invert, only_masked=area is not None, padding=area or 0)
    result = redrawn(tools, picture, mask, denoising_strength=1.0, steps=1)
    outside = np.asarray(prepared_mask(disc(), **blur, invert=invert)) == 0
    assert 0.005 < outside.mean() < 0.98
    after, before = pixels(result.images[0].image), pixels(picture)
    assert np.array_equal(after[outside], before[outside])
    assert (after != before).any(axis=-1)[~outside].mean() > 0.5


@pytest.mark.parametrize("size", [(64, 64), (96, 64)], ids=["as large", "wider"])
def test_only_masked_keeps_a_large_picture_at_its_own_size(tools: Tools, size: tuple[int, int]) -> None:
    """The part is drawn at the request's size and put back where it was; nothing else is even resampled."""
    large = Image.fromarray(np.random.default_rng(8).integers(0, 256, (150, 201, 3), np.uint8))
    mask = Image.new("L", large.size)
    ImageDraw.Draw(mask).ellipse((140, 90, 190, 140), fill=255)
    asked = Mask(mask, blur_x=2, blur_y=2, only_masked=True, padding=8)
    result = redrawn(tools, large, asked, width=size[0], height=size[1])
    assert result.images[0].image.size == large.size
    outside = np.asarray(prepared_mask(mask, blur_x=2, blur_y=2)) == 0
    assert np.array_equal(pixels(result.images[0].image)[outside], pixels(large)[outside])
    assert f"Size: {size[0]}x{size[1]}" in result.images[0].infotext


def test_an_inverted_white_mask_returns_the_picture(tools: Tools, picture: Image.Image) -> None:
    mask = Mask(Image.new("L", picture.size, 255), invert=True)
    result = redrawn(tools, picture, mask, denoising_strength=1.0, batch_size=2)
    for image in result.images:
        assert np.array_equal(pixels(image.image), pixels(picture))
