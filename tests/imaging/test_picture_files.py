"""What goes into a picture file comes out again: every pixel where the format can, every letter of the text."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import piexif
import piexif.helper
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.files import Encoding, encode, format_of, open_image, save_image
from modules.imaging.metadata import decode_comment, exif_with_comment, read_metadata
from modules.terms.errors import BadRequest

TEXT = "a cat, 日本語 🎨\nNegative prompt: плохо\nSteps: 20, Sampler: Euler a, CFG scale: 7.0"


def noise(mode: str = "RGB", size: tuple[int, int] = (19, 13)) -> Image.Image:
    rng = np.random.default_rng(0)
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    return Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_png_keeps_every_pixel(mode: str) -> None:
    image = noise(mode)
    back = open_image(encode(image, "PNG", TEXT))
    assert back.mode == mode
    assert np.array_equal(np.asarray(back), np.asarray(image))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_lossless_webp_keeps_every_pixel(mode: str) -> None:
    image = noise(mode)
    back = open_image(encode(image, "WEBP", TEXT, encoding=Encoding(lossless_webp=True)))
    assert np.array_equal(np.asarray(back), np.asarray(image))


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "avif", "gif"])
@pytest.mark.parametrize("text", [TEXT, "plain ascii", "é only latin", "x" * 20000])
def test_every_format_keeps_the_text(tmp_path: Path, suffix: str, text: str) -> None:
    path = save_image(noise(), tmp_path / f"a.{suffix}", text)
    assert path.suffix == f".{suffix}"
    assert read_metadata(Image.open(path)).text == text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
@settings(max_examples=50)
def test_any_text_survives_png_and_exif(text: str) -> None:
    dot = noise(size=(2, 2))
    assert (read_metadata(open_image(encode(dot, "PNG", text))).text or "") == text
    assert decode_comment(piexif.load(exif_with_comment(text))["Exif"][piexif.ExifIFD.UserComment]) == text


def test_chunks_are_those_of_a1111() -> None:
    assert b"tEXtparameters\0plain" in encode(noise(), "PNG", "plain")
    assert b"iTXtparameters\0" in encode(noise(), "PNG", TEXT)


def test_exif_is_that_of_a1111() -> None:
    theirs = piexif.helper.UserComment.dump(TEXT, encoding="unicode")
    assert piexif.load(exif_with_comment(TEXT)) == piexif.load(
        piexif.dump({"Exif": {piexif.ExifIFD.UserComment: theirs}})
    )


def test_comments_are_read_in_either_byte_order() -> None:
    for order in ("utf-16-le", "utf-16-be"):
        assert decode_comment(b"UNICODE\0" + TEXT.encode(order)) == TEXT
    assert decode_comment(b"ASCII\0\0\0plain") == "plain"
    assert decode_comment(b"\xff\xfe\x80") == ""


def test_other_texts_of_a_png_are_kept() -> None:
    others = {"extras": "Postprocess upscale by: 2", "workflow": '{"nodes": "日本"}', "gamma": 0.45}
    items = read_metadata(open_image(encode(noise(), "PNG", TEXT, others=others))).items
    assert items == {"parameters": TEXT, "extras": others["extras"], "workflow": others["workflow"]}


def test_technical_entries_are_not_shown() -> None:
    assert read_metadata(open_image(encode(noise(), "JPEG"))).items == {}


def test_graphs_in_exif_are_found() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = 'workflow:{"nodes": []}', 'prompt:{"1": {}}'
    buffer = io.BytesIO()
    noise().save(buffer, "WEBP", exif=exif)
    assert read_metadata(open_image(buffer.getvalue())).items == {"workflow": '{"nodes": []}', "prompt": '{"1": {}}'}


@given(st.binary(max_size=300))
@settings(max_examples=50)
def test_broken_exif_is_skipped(garbage: bytes) -> None:
    image = noise(size=(2, 2))
    image.info["exif"] = b"Exif\0\0" + garbage
    read_metadata(image)
    image.info["exif"] = exif_with_comment("x")[:10] + garbage
    read_metadata(image)


@pytest.mark.parametrize(("suffix", "size"), [("webp", (16384, 1)), ("jpg", (65536, 1))])
def test_what_is_too_large_for_a_format_becomes_png(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    path = save_image(Image.new("RGB", size), tmp_path / f"a.{suffix}", TEXT)
    assert path.name == "a.png"
    assert Image.open(path).size == size


def test_text_too_long_for_jpeg_becomes_png(tmp_path: Path) -> None:
    path = save_image(noise(), tmp_path / "a.jpg", "word " * 10000)
    assert path.name == "a.png"
    assert read_metadata(Image.open(path)).text == "word " * 10000


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F", "HSV", "LAB"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "avif", "gif"])
def test_every_mode_can_be_written(tmp_path: Path, mode: str, suffix: str) -> None:
    path = save_image(Image.new(mode, (9, 7)), tmp_path / f"a.{suffix}")
    assert Image.open(path).size == (9, 7)


def test_sixteen_bits_become_eight() -> None:
    deep = Image.fromarray(np.full((4, 4), 0x80FF, dtype=np.uint16))
    assert open_image(encode(deep, "JPEG", encoding=Encoding(100))).getpixel((0, 0)) == 0x80


def test_a_name_that_is_taken_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_image(noise(), path, "first")
    with pytest.raises(FileExistsError):
        save_image(noise(), path, "second", replace=False)
    assert read_metadata(Image.open(path)).text == "first"
    save_image(noise(), path, "third")
    assert read_metadata(Image.open(path)).text == "third"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_formats_and_broken_pictures_are_refused() -> None:
    with pytest.raises(BadRequest, match="xyz"):
        format_of("a.xyz")
    for broken in (b"", b"no picture", encode(noise(), "PNG")[:60]):
        with pytest.raises(BadRequest, match="cannot be read"):
            open_image(broken)
