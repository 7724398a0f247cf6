"""Values of the img2img tab become the request that they describe, with exactly the pixels that were painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from modules.gui.img2img_request import scaled, to_img2img_request
from modules.terms.errors import BadRequest
from tests.gui.stand_in import gradient

FORM = {
    "mode": "img2img",
    "resize_tab": "to",
    "prompt": "a boat",
    "width": 256,
    "height": 384,
    "denoising_strength": 0.6,
    "source.resize_mode": "Crop and resize",
    "source.image_cfg_scale": 1.5,
    "mask.mode": "Inpaint masked",
    "mask.fill": "original",
    "mask.area": "Whole picture",
    "mask.blur": 4,
    "mask.alpha": 0,
    "mask.padding": 32,
    "scale_by": 1.0,
}


def file(path: Path) -> dict:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    gradient(96, 64, 5, 1.0).save(path)
    return path


@pytest.fixture
def paint(tmp_path: Path) -> Path:
    """A red square where the picture is not red, opaque, on nothing."""
    path = tmp_path / "paint.png"
    layer = Image.new("RGBA", (96, 64))
    layer.paste((255, 0, 0, 255), (10, 20, 30, 40))
    layer.save(path)
    return path


def same(first: Image.Image, second: Image.Image) -> bool:
    return first.mode == second.mode and np.array_equal(np.asarray(first), np.asarray(second))


def test_a_picture_is_taken_as_it_is(picture: Path) -> None:
    request = to_img2img_request({**FORM, "image": {"image": file(picture), "paint": None}})
    assert same(request.source.images[0], Image.open(picture))
    assert (request.source.mask, request.source.resize_mode) == (None, 1)
    assert (request.width, request.height, request.denoising_strength) == (256, 384, 0.6)


def test_every_mode_without_a_picture_says_what_to_do() -> None:
    for mode in ("img2img", "sketch", "inpaint", "inpaint_sketch", "inpaint_upload"):
        with pytest.raises(BadRequest, match="needs a picture"):
            to_img2img_request({**FORM, "mode": mode})


def test_what_was_painted_is_the_mask(picture: Path, paint: Path) -> None:
    values = {**FORM, "mode": "inpaint", "inpaint": {"image": file(picture), "paint": file(paint)}}
    mask = to_img2img_request(values).source.mask
    assert same(mask.image, Image.open(paint).getchannel("A"))
    assert (mask.blur_x, mask.blur_y, mask.invert, mask.fill, mask.only_masked) == (4, 4, False, 1, False)
    values |= {"mask.mode": "Inpaint not masked", "mask.fill": "latent noise", "mask.area": "Only masked"}
    mask = to_img2img_request({**values, "mask.blur": 0, "mask.padding": 8}).source.mask
    assert (mask.blur_x, mask.invert, mask.fill, mask.only_masked, mask.padding) == (0, True, 2, True, 8)


def test_nothing_painted_is_an_empty_mask(picture: Path) -> None:
    request = to_img2img_request({**FORM, "mode": "inpaint", "inpaint": {"image": file(picture), "paint": None}})
    assert request.source.mask.image.getextrema() == (0, 0)
    assert request.source.mask.image.size == (96, 64)


def test_paint_of_another_picture_is_refused(picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGBA", (50, 50)).save(other)
    with pytest.raises(BadRequest, match="50x50"):
        to_img2img_request({**FORM, "mode": "inpaint", "inpaint": {"image": file(picture), "paint": file(other)}})


def test_a_sketch_is_the_picture_with_the_paint_over_it(picture: Path, paint: Path) -> None:
    values = {**FORM, "mode": "sketch", "sketch": {"image": file(picture), "paint": file(paint)}}
    source = to_img2img_request(values).source
    expected = np.asarray(Image.open(picture)).copy()
    expected[20:40, 10:30] = (255, 0, 0)
    assert np.array_equal(np.asarray(source.images[0]), expected)
    assert source.mask is None


def test_a_sketch_keeps_the_transparency_of_the_picture(tmp_path: Path, paint: Path) -> None:
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (96, 64), (0, 0, 255, 10)).save(clear)
    values = {**FORM, "mode": "sketch", "sketch": {"image": file(clear), "paint": file(paint)}}
    pixels = np.asarray(to_img2img_request(values).source.images[0])
    assert tuple(pixels[0, 0]) == (0, 0, 255, 10)
    assert tuple(pixels[30, 20]) == (255, 0, 0, 255)


def test_inpaint_sketch_masks_what_differs_and_blurs_the_seam(picture: Path, paint: Path) -> None:
    values = {**FORM, "mode": "inpaint_sketch", "inpaint_sketch": {"image": file(picture), "paint": file(paint)}}
    source = to_img2img_request({**values, "mask.blur": 2}).source
    assert same(source.mask.image, Image.open(paint).getchannel("A"))
    sketch = Image.open(picture).convert("RGB")
    sketch.paste((255, 0, 0), (10, 20, 30, 40))
    blur = ImageFilter.GaussianBlur(2)
    expected = Image.composite(sketch.filter(blur), Image.open(picture).convert("RGB"), source.mask.image.filter(blur))
    assert same(source.images[0], expected)
    faint = to_img2img_request({**values, "mask.alpha": 40}).source.mask.image
    assert faint.getextrema() == (0, 153)


def test_inpaint_upload_needs_both(picture: Path, paint: Path) -> None:
    values = {**FORM, "mode": "inpaint_upload", "inpaint_base": {"image": file(picture)}}
    with pytest.raises(BadRequest, match="needs a mask"):
        to_img2img_request(values)
    mask = to_img2img_request({**values, "inpaint_mask": {"image": file(paint)}}).source.mask
    assert same(mask.image, Image.open(paint))


def test_a_photograph_is_upright(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40), "red").save(path, exif=exif)
    assert to_img2img_request({**FORM, "image": {"image": file(path)}}).source.images[0].size == (40, 80)


def test_resize_by_goes_by_the_picture(picture: Path) -> None:
    values = {**FORM, "image": {"image": file(picture)}, "resize_tab": "by", "scale_by": 1.3}
    request = to_img2img_request(values)
    assert (request.width, request.height) == (120, 80)
    assert scaled((1000, 20), 0.5) == (496, 64)


@pytest.mark.parametrize("value", [None, "", "path", [], {"image": "x"}, {"image": {"path": 3}}, {"image": {}}])
def test_values_that_are_no_picture_are_none(value: object) -> None:
    with pytest.raises(BadRequest, match="needs a picture"):
        to_img2img_request({**FORM, "image": value})
