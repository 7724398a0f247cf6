"""What the Extras tab does to pictures: sizes, blends, crops, copies, texts, and what happens when it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.checkpoints.library import Library
from modules.checkpoints.memory import Models
from modules.enhance.captions import Captioner, captioners, merged
from modules.enhance.faces.detect import Face
from modules.enhance.faces.restore import Faces
from modules.enhance.networks import Networks, Placement
from modules.enhance.upscaler import PLAIN, Upscaler, Work, simple_upscalers
from modules.generation.extras import Extras, Postprocessed
from modules.generation.postprocessing import STEPS, in_order
from modules.generation.postprocessing.crops import best_size
from modules.generation.postprocessing.focus import crop_box, entropy_point
from modules.generation.tools import Tools
from modules.imaging.files import save_image
from modules.terms.errors import BadRequest, Interrupted, NotFound, Skipped
from modules.terms.extras import (
    BLIP,
    BOTH,
    DEEPBOORU,
    HORIZONTAL,
    MINIMIZE_ERROR,
    STEP_NAMES,
    TO,
    VERTICAL,
    AutoCrop,
    Captioning,
    ExtrasPicture,
    ExtrasRequest,
    FaceRepair,
    FlippedCopies,
    FocalCrop,
    SplitOversized,
    Upscaling,
)
from modules.terms.progress import Progress


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    return Image.fromarray(np.random.default_rng(9).integers(0, 256, (height, width, channels), dtype=np.uint8))


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(Models(Library([tmp_path / "none"])))


def results(tools: Tools, *images: Image.Image, watch: Any = None, **steps: Any) -> list[Postprocessed]:
    pictures = tuple(ExtrasPicture(image, f"name{number}") for number, image in enumerate(images))
    return list(Extras(ExtrasRequest(pictures, **steps), tools, watch or (lambda progress, preview=None: None)))


def only(tools: Tools, image: Image.Image, **steps: Any) -> Postprocessed:
    (made,) = results(tools, image, **steps)
    return made


def test_names_are_those_the_settings_know() -> None:
    assert tuple(step.name for step in STEPS) == STEP_NAMES
    assert [step.order for step in STEPS] == sorted(step.order for step in STEPS)


def test_steps_run_as_the_settings_order_them() -> None:
    names = [step.name for step in in_order(("Create flipped copies", "GFPGAN"), ("Caption",))]
    assert names == ["Create flipped copies", "GFPGAN", *(
        name for name in STEP_NAMES if name not in ("Create flipped copies", "GFPGAN", "Caption")
    )]  # fmt: skip


def test_a_factor_and_what_is_written_of_it(tools: Tools) -> None:
    made = only(tools, noise(40, 24), upscaling=Upscaling(scale=2, upscaler="Lanczos"))
    assert made.image.size == (80, 48)
    assert made.said == "Postprocess upscale by: 2, Postprocess upscaler: Lanczos"


@given(st.integers(20, 200), st.integers(20, 200), st.floats(1, 6), st.integers(64, 400))
def test_no_side_is_longer_than_the_limit(width: int, height: int, scale: float, limit: int) -> None:
    tools = Tools(Models(Library([])))
    asked = Upscaling(scale=scale, max_side=limit, upscaler="Nearest")
    made = only(tools, Image.new("RGB", (width, height)), upscaling=asked)
    assert max(made.image.size) <= limit or max(width, height) * scale <= limit
    assert ("Max side length" in made.entries) == (max(width, height) * scale > limit)


@pytest.mark.parametrize(("crop", "size"), [(True, (100, 80)), (False, (120, 80))])
def test_a_size_is_covered_and_cut_if_so_asked(tools: Tools, crop: bool, size: tuple[int, int]) -> None:
    asked = Upscaling(mode=TO, width=100, height=80, crop=crop, upscaler="Lanczos")
    made = only(tools, noise(96, 64), upscaling=asked)
    assert made.image.size == size
    assert made.entries["Postprocess upscale to"] == "100x80"
    assert made.entries.get("Postprocess crop to") == ("100x80" if crop else None)


def test_two_upscalers_are_blended_by_visibility(tools: Tools) -> None:
    image = noise(40, 24)

    def blended(share: float, second: str = "Nearest") -> np.ndarray[Any, Any]:
        asked = Upscaling(scale=2, upscaler="Lanczos", upscaler_2=second, upscaler_2_visibility=share)
        return np.asarray(only(tools, image, upscaling=asked).image, int)

    lanczos, nearest = blended(0), blended(1)
    assert np.array_equal(nearest, np.asarray(image.resize((80, 48), Image.Resampling.NEAREST)))
    assert np.abs(blended(0.25) - (0.75 * lanczos + 0.25 * nearest)).max() <= 1
    assert np.array_equal(blended(0.5, "None"), lanczos)


def test_without_an_upscaler_the_picture_stays(tools: Tools) -> None:
    image = noise(41, 23)
    made = only(tools, image, upscaling=Upscaling())
    assert np.array_equal(np.asarray(made.image), np.asarray(image))
    assert made.said == ""


def test_the_same_picture_is_enlarged_once(tools: Tools) -> None:
    calls: list[str] = []

    def once(image: Image.Image, scale: float, work: Work) -> Image.Image:
        calls.append(str(image.size))
        return image.resize((image.width * 4, image.height * 4))

    upscalers = simple_upscalers()
    upscalers.add(Upscaler("counting", once))
    tools = tools.with_(upscalers=upscalers)
    for scale in (4.0, 4.0, 2.0, 4.0):
        only(tools, noise(16, 16), upscaling=Upscaling(scale=scale, upscaler="counting"))
    assert len(calls) == 2
    off = tools.with_(settings=tools.settings.with_flat({"upscaling_max_images_in_cache": 0}))
    only(off, noise(16, 16), upscaling=Upscaling(scale=4.0, upscaler="counting"))
    only(off, noise(16, 16), upscaling=Upscaling(scale=4.0, upscaler="counting"))
    assert len(calls) == 3


def test_unknown_names_are_told(tools: Tools) -> None:
    for name, words in (("Lanzcos", "Did you mean 'Lanczos'"), ("R-ESRGAN 4x+", "models/RealESRGAN")):
        with pytest.raises(NotFound, match=words):
            results(tools, noise(8, 8), upscaling=Upscaling(upscaler=name))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"upscaling": Upscaling(scale=0)}, "above 0"),
        ({"upscaling": Upscaling(scale=3000)}, "too many pixels"),
        ({"upscaling": Upscaling(mode=TO, width=100_000, height=100_000)}, "too many pixels"),
        ({"upscaling": Upscaling(upscaler_2_visibility=2)}, "between 0 and 1"),
        ({"auto_crop": AutoCrop(min_side=800)}, "lower bound"),
        ({"flips": FlippedCopies(("Diagonal",))}, "must be one of"),
    ],
)
def test_values_that_cannot_be_honoured_are_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        ExtrasRequest((ExtrasPicture(noise(40, 40)),), **asked).check()
    with pytest.raises(BadRequest, match="no picture"):
        ExtrasRequest(**asked).check()


def test_copies_are_mirrored(tools: Tools) -> None:
    image = noise(12, 8)
    made = results(tools, image, flips=FlippedCopies((BOTH, HORIZONTAL, VERTICAL)))
    pixels = np.asarray(image)
    for one, expected in zip(made, (pixels, pixels[:, ::-1], pixels[::-1], pixels[::-1, ::-1]), strict=True):
        assert np.array_equal(np.asarray(one.image), expected)
    assert [one.tags for one in made] == [(), ("horizontal",), ("vertical",), ("both",)]


@pytest.mark.parametrize("turned", [False, True])
def test_long_pictures_are_cut_into_parts_that_cover_them(tools: Tools, turned: bool) -> None:
    strip = Image.fromarray(np.repeat(np.arange(200, dtype=np.uint8)[:, None], 50, axis=1)).convert("RGB")
    image = strip.transpose(Image.Transpose.ROTATE_90) if turned else strip
    asked = {"upscaling": Upscaling(mode=TO, width=64, height=64), "split": SplitOversized(0.5, 0.25)}
    made = results(tools, image, **asked)
    assert {one.image.size for one in made} == {(64, 64)}
    # 256 long: (256 - 16) / 48 parts.
    assert len(made) == 5
    seen = np.concatenate([np.unique(np.asarray(one.image)) for one in made])
    assert (seen.min(), seen.max()) == (0, 199)
    assert len(results(tools, noise(64, 60), **asked)) == 1


def test_the_best_size_loses_least() -> None:
    assert best_size(1000, 1000, AutoCrop()) == (640, 640)
    assert best_size(1000, 1000, AutoCrop(max_area=600 * 600)) == (576, 576)
    assert best_size(3000, 100, AutoCrop()) is None
    wide = best_size(1500, 1000, AutoCrop(objective=MINIMIZE_ERROR, max_area=768 * 768))
    assert wide is not None
    assert abs(wide[0] / wide[1] - 1.5) < 0.01


def test_auto_crop_takes_the_middle(tools: Tools) -> None:
    image = Image.new("RGB", (1200, 1000), "red")
    image.paste("blue", (100, 0, 1100, 1000))
    made = only(tools, image, auto_crop=AutoCrop(max_side=640, max_area=640 * 640, threshold=0.5))
    assert made.image.size[0] % 64 == 0
    assert made.image.getpixel((made.image.width // 2, 5)) == (0, 0, 255)


class Finder:
    def __init__(self, box: tuple[int, int, int, int]) -> None:
        self.box = box

    def __call__(self, picture: Any) -> list[Face]:
        return [Face(self.box, np.array([[0.0, 0.0], [1.0, 0.0]]))]


def with_faces(tools: Tools, folder: Path, box: tuple[int, int, int, int]) -> Tools:
    networks = Networks(lambda path: Placement(torch.device("cpu")))
    return tools.with_(faces=Faces(networks, (folder,), Finder(box)))


def test_a_crop_keeps_the_face(tools: Tools, tmp_path: Path) -> None:
    image = noise(400, 100)
    image.paste("red", (300, 20, 360, 80))
    asked = {
        "upscaling": Upscaling(mode=TO, width=100, height=100),
        "focal_crop": FocalCrop(face_weight=1, entropy_weight=0, edges_weight=0, debug=True),
        "flips": FlippedCopies(),
    }
    made = results(with_faces(tools, tmp_path, (300, 20, 360, 80)), image, **asked)
    assert [one.tags for one in made] == [(), ("horizontal",), ("focal-crop-debug",)]
    assert made[0].image.size == (100, 100)
    assert made[0].image.getpixel((50, 50)) == (255, 0, 0)
    assert made[2].image.size == (400, 100)


def test_a_crop_goes_where_something_is(tools: Tools) -> None:
    image = Image.new("RGB", (400, 100), "white")
    image.paste(noise(100, 100), (220, 0))
    assert 220 <= entropy_point(image, (100, 100))[0] <= 320
    assert crop_box((400, 100), (100, 100), (10, 50)) == (0, 0, 100, 100)
    assert crop_box((400, 100), (100, 100), (390, 50)) == (300, 0, 400, 100)
    asked = FocalCrop(face_weight=0, entropy_weight=1, edges_weight=1)
    made = only(tools, image, upscaling=Upscaling(mode=TO, width=100, height=100), focal_crop=asked)
    assert np.asarray(made.image).std() > 50


def test_faces_without_weights_or_with_part_visibility(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder"):
        results(tools, noise(32, 32), faces=FaceRepair(gfpgan_visibility=1))
    with pytest.raises(NotFound, match="codeformer-v0.1.0.pth"):
        results(with_faces(tools, tmp_path, (0, 0, 9, 9)), noise(32, 32), faces=FaceRepair(codeformer_visibility=0.5))

    class Whitening(Faces):
        def restore(self, name: str, image: Image.Image, weight: float = 0.5, work: Work = PLAIN) -> Image.Image:
            assert (name, weight) in (("GFPGAN", 0.5), ("CodeFormer", 0.25))
            work.done(1, 1)
            return Image.new("RGB", image.size, "white")

    whitening = tools.with_(faces=Whitening(Networks(lambda path: Placement(torch.device("cpu")))))
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 77))
    made = only(whitening, image, faces=FaceRepair(0.5, 0.5, 0.25))
    assert made.image.getpixel((3, 3)) == (191, 191, 191, 77)
    assert made.said == "GFPGAN visibility: 0.5, CodeFormer visibility: 0.5, CodeFormer weight: 0.25"


def test_captions_are_joined_or_say_what_is_missing(tools: Tools) -> None:
    with pytest.raises(NotFound, match="models/BLIP"):
        results(tools, noise(8, 8), captions=Captioning((BLIP,)))
    words = captioners()
    for name, said in ((BLIP, "a cat"), (DEEPBOORU, "cat, solo")):
        words._entries[name] = words._by_alias[name.lower()] = Captioner(name, lambda image, said=said: said)
    made = only(tools.with_(captioners=words), noise(8, 8), captions=Captioning((BLIP, DEEPBOORU)))
    assert made.caption == "a cat, cat, solo"


@pytest.mark.parametrize(
    ("action", "expected"), [("Ignore", "new"), ("Keep", "old"), ("Prepend", "new old"), ("Append", "old new")]
)
def test_a_caption_that_is_there_meets_a_new_one(action: str, expected: str) -> None:
    assert merged(" old\n", "new", action) == expected
    assert merged("", "new", action) == "new"


def folder_of(path: Path) -> Path:
    path.mkdir()
    save_image(noise(16, 16), path / "b.png", "a cat\nSteps: 20, Sampler: Euler, Seed: 5")
    save_image(noise(16, 16), path / "a.webp")
    (path / "broken.png").write_bytes(b"no picture")
    (path / "note.txt").write_text("no picture")
    return path


def test_a_folder_is_worked_through(tools: Tools, tmp_path: Path) -> None:
    extras = Extras(ExtrasRequest(folder=str(folder_of(tmp_path / "in")), flips=FlippedCopies()), tools)
    made = list(extras)
    assert [(one.name, one.number) for one in made] == [("a", 0), ("a", 0), ("b", 1), ("b", 1)]
    assert made[2].parameters.startswith("a cat\nSteps: 20")
    assert len(extras.notes) == 1
    assert "broken.png cannot be read" in extras.notes[0]
    for folder, words in ((tmp_path / "nowhere", "no folder"), (tmp_path / "empty", "no pictures")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(NotFound, match=words):
            list(Extras(ExtrasRequest(folder=str(folder)), tools))


def raising(error: type[Exception], at: int) -> Callable[..., None]:
    """A watcher that raises once, at its call number `at` that tells of a step done."""
    told: list[Progress] = []

    def watch(progress: Progress, preview: Any = None) -> None:
        told.append(progress)
        if sum(one.step > 0 for one in told) == at and progress.step > 0:
            raise error

    return watch


def test_an_interrupt_keeps_what_is_finished(tools: Tools) -> None:
    upscaling = Upscaling(scale=2, upscaler="Lanczos")
    pictures = tuple(ExtrasPicture(noise(8, 8)) for _ in range(3))
    made = []
    with pytest.raises(Interrupted):
        for one in Extras(ExtrasRequest(pictures, upscaling=upscaling), tools, raising(Interrupted, 2)):
            made.append(one)
    assert len(made) == 2


def test_a_skipped_picture_is_left_out_and_told(tools: Tools) -> None:
    def once(image: Image.Image, scale: float, work: Work) -> Image.Image:
        work.done(1, 2)
        return image.resize((image.width * 2, image.height * 2))

    upscalers = simple_upscalers()
    upscalers.add(Upscaler("slow", once, 2.0))
    pictures = tuple(ExtrasPicture(noise(8, 8 + 8 * number), f"n{number}") for number in range(3))
    request = ExtrasRequest(pictures, upscaling=Upscaling(scale=2, upscaler="slow"))
    extras = Extras(request, tools.with_(upscalers=upscalers), raising(Skipped, 3))
    assert [one.name for one in extras] == ["n0", "n2"]
    assert extras.notes == ["n1 was skipped."]


def test_progress_only_grows(tools: Tools) -> None:
    told: list[float] = []
    results(
        tools,
        noise(8, 8),
        noise(16, 8),
        upscaling=Upscaling(upscaler="Lanczos"),
        flips=FlippedCopies(),
        watch=lambda progress, preview=None: told.append(progress.fraction),
    )
    assert told == sorted(told)
    assert told[-1] == 1
