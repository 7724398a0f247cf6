"""ControlNet units in a whole job: they change the picture as far as they are asked to, and say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modules.generation import GenerationRequest, Hires, Mask, Source, Tools, generate
from modules.imaging.masks import expanded_box, padded_box
from modules.terms.control import CONTROL_FIRST, FILL, PROMPT_FIRST, ControlUnit
from modules.terms.errors import BadRequest, NotFound, UnknownFile
from modules.terms.result import GenerationResult

SMALL = GenerationRequest(prompt="a house", negative_prompt="blue", steps=4, seed=7, subseed=1, width=96, height=64)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB")).astype(int)


def drawn(tools: Tools, *units: ControlUnit, **changes) -> GenerationResult:
    return generate(SMALL.with_(controls=units, **changes), tools)


def picture(tools: Tools, *units: ControlUnit, **changes) -> bytes:
    return drawn(tools, *units, **changes).images[0].image.tobytes()


@pytest.fixture(scope="module")
def plain(tools: Tools) -> bytes:
    return picture(tools)


@pytest.fixture(scope="module")
def unit(drawing: Image.Image) -> ControlUnit:
    return ControlUnit(module="canny", model="tiny_canny", image=drawing, pixel_perfect=True)


def test_a_unit_changes_the_picture_and_zero_changes_nothing(tools: Tools, unit: ControlUnit, plain: bytes) -> None:
    assert picture(tools, unit) != plain
    assert picture(tools, ControlUnit(model="tiny_zero", image=unit.image)) == plain
    assert picture(tools, ControlUnit(model="tiny_canny", image=unit.image, weight=0)) == plain


def test_the_resolved_request_draws_the_same_again(tools: Tools, unit: ControlUnit) -> None:
    first = drawn(tools, unit)
    assert generate(first.request, tools).images[0].image.tobytes() == first.images[0].image.tobytes()


def test_what_steers_matters(tools: Tools, unit: ControlUnit, drawing: Image.Image) -> None:
    steered = picture(tools, unit)
    for other in (
        replace(unit, image=drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        replace(unit, module="none"),
        replace(unit, weight=0.5),
        replace(unit, guidance_end=0.2),
        replace(unit, guidance_start=0.5),
        replace(unit, control_mode=PROMPT_FIRST),
        replace(unit, control_mode=CONTROL_FIRST),
        replace(unit, model="tiny_shuffle"),
        replace(unit, model="t2iadapter_tiny"),
        replace(unit, layer_weights=(1.0, 0.0)),
    ):
        assert picture(tools, other) != steered


def test_two_halves_are_one_whole(tools: Tools, unit: ControlUnit) -> None:
    half = replace(unit, weight=0.5)
    whole, halves = drawn(tools, unit).images[0].image, drawn(tools, half, half).images[0].image
    assert np.abs(pixels(whole) - pixels(halves)).max() <= 1


def test_a_steered_picture_does_not_depend_on_its_batch(tools: Tools, unit: ControlUnit) -> None:
    together, alone = drawn(tools, unit, batch_size=2), drawn(tools, unit, seed=8)
    assert np.abs(pixels(together.images[1].image) - pixels(alone.images[0].image)).max() <= 1


def test_infotext_names_the_units_as_the_extension_does(tools: Tools, unit: ControlUnit) -> None:
    text = drawn(tools, unit, ControlUnit(model="tiny_zero", image=unit.image)).images[0].infotext
    title = tools.controls.library.find("tiny_canny").title
    assert (
        f'ControlNet 0: "Module: canny, Model: {title}, Weight: 1, Resize Mode: Crop and Resize, '
        "Processor Res: 512, Threshold A: 100, Threshold B: 200, Guidance Start: 0, Guidance End: 1, "
        'Pixel Perfect: True, Control Mode: Balanced, Hr Option: Both"'
    ) in text
    assert 'ControlNet 1: "Module: none, Model: tiny_zero' in text


def test_maps_are_shown_after_the_pictures(tools: Tools, unit: ControlUnit) -> None:
    images = drawn(tools, unit, replace(unit, save_detected_map=False), batch_size=2).images
    assert [image.kind for image in images] == ["sample", "sample", "control"]
    edges = pixels(images[-1].image)
    assert edges.shape == (64, 96, 3)
    assert set(np.unique(edges)) == {0, 255}


def test_each_pass_may_have_its_units(tools: Tools, unit: ControlUnit, plain: bytes) -> None:
    hires = {"hires": Hires(scale=1.5, steps=2), "denoising_strength": 0.6}
    both, low, high = (
        picture(tools, replace(unit, hires_option=option), **hires)
        for option in ("Both", "Low res only", "High res only")
    )
    assert len({both, low, high, picture(tools, **hires)}) == 4
    assert picture(tools, replace(unit, hires_option="High res only")) == picture(tools, unit)


def test_a_file_for_the_hires_pass_is_checked_before_anything_is_drawn(tools: Tools, unit: ControlUnit) -> None:
    heard: list[str] = []
    broken = tools.controls.library.folders[0] / "tiny_broken.safetensors"
    broken.write_bytes(b"<html>")
    request = SMALL.with_(
        controls=(replace(unit, model="tiny_broken", hires_option="High res only"),),
        hires=Hires(scale=1.5, steps=2),
        denoising_strength=0.6,
    )
    with pytest.raises(UnknownFile, match="web page"):
        generate(request, tools, lambda progress, preview=None: heard.append(progress.phase))
    broken.unlink()
    assert "sampling" not in heard


def test_without_a_picture_the_source_steers(tools: Tools, drawing: Image.Image) -> None:
    source = {"source": Source((drawing,)), "denoising_strength": 0.8}
    borrowed = picture(tools, ControlUnit(model="tiny_canny"), **source)
    assert borrowed == picture(
        tools, ControlUnit(model="tiny_canny", image=drawing, resize_mode="Just Resize"), **source
    )
    assert borrowed != picture(tools, **source)
    with pytest.raises(BadRequest, match="has no picture"):
        drawn(tools, ControlUnit(model="tiny_canny"))


def test_where_only_the_mask_is_drawn_only_its_part_steers(tools: Tools, drawing: Image.Image) -> None:
    large = drawing.resize((192, 128))
    mask = Image.new("L", large.size)
    ImageDraw.Draw(mask).rectangle((20, 20, 80, 60), fill=255)
    part = Mask(mask, blur_x=0, blur_y=0, only_masked=True, padding=8)
    source = {"source": Source((large,), mask=part), "denoising_strength": 0.8}
    result = drawn(tools, ControlUnit(model="tiny_canny"), **source)
    shown = pixels(result.images[-1].image)
    covered = padded_box(mask, 8)
    assert covered is not None
    box = expanded_box(covered, 96, 64, *large.size)
    expected = pixels(large.crop(box).resize((96, 64), Image.Resampling.NEAREST))
    assert np.abs(shown - expected).mean() < 5
    given = ControlUnit(model="tiny_canny", image=large, resize_mode="Just Resize")
    assert picture(tools, given, **source) == result.images[0].image.tobytes()


def test_inpainting_keeps_what_is_not_masked(tools: Tools, drawing: Image.Image) -> None:
    mask = Image.new("L", drawing.size)
    ImageDraw.Draw(mask).rectangle((60, 0, 95, 63), fill=255)
    result = drawn(tools, ControlUnit(module="inpaint_only", model="tiny_canny", image=drawing, mask=mask))
    found, original = pixels(result.images[0].image), pixels(drawing)
    assert (found[:, :52] == original[:, :52]).all()
    assert np.abs(found[:, 68:] - original[:, 68:]).mean() > 5
    assert result.images[-1].image.mode == "RGBA"


def test_recolouring_keeps_the_brightness(tools: Tools, drawing: Image.Image) -> None:
    unit = ControlUnit(module="recolor_intensity", model="tiny_canny", image=drawing)
    found = pixels(drawn(tools, unit).images[0].image)
    assert np.abs(found.max(axis=2) - pixels(drawing).max(axis=2)).max() <= 1


def test_low_vram_lets_the_network_go(tools: Tools, unit: ControlUnit) -> None:
    with tools.models.borrow("tiny") as bundle:
        info = tools.controls.library.find("tiny_canny")
        kept = tools.controls.borrow(info, bundle)
        assert tools.controls.borrow(info, bundle) is kept
        first = picture(tools, replace(unit, low_vram=True))
        assert tools.controls.borrow(info, bundle) is not kept
    assert first == picture(tools, unit)


def test_a_hint_of_another_shape_is_filled_with_its_border(tools: Tools, drawing: Image.Image) -> None:
    narrow = drawing.crop((0, 0, 48, 64))
    shown = pixels(drawn(tools, ControlUnit(model="tiny_canny", image=narrow, resize_mode=FILL)).images[-1].image)
    assert (shown[:, :20] == 255).all()
    assert (shown[20:40, 40:60] == 0).any()


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"module": "cany"}, NotFound, "canny"),
        ({"model": "tiny_kanny"}, NotFound, "tiny_canny"),
        ({"model": "None"}, BadRequest, "names no model"),
        ({"module": "openpose"}, BadRequest, "does not have yet"),
        ({"module": "depth_midas"}, BadRequest, r"models/ControlNetPreprocessor/depth_midas|belong in"),
        ({"weight": 3.0}, BadRequest, "weight"),
        ({"control_mode": "Bland"}, BadRequest, "Balanced"),
        ({"guidance_start": 0.8, "guidance_end": 0.2}, BadRequest, "guidance_start"),
    ],
)
def test_what_cannot_be_honoured_is_named(
    tools: Tools, drawing: Image.Image, fields: dict, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        drawn(tools, ControlUnit(**{"model": "tiny_canny", "image": drawing, **fields}))
