"""The Batch mode: every picture with its own mask and its own text, in order, and stopped without a loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.generation import GenerationRequest, Mask, Source, Tools, generate
from modules.generation.picture_batch import BatchRun, Made
from modules.imaging.files import save_image
from modules.terms.errors import BadRequest, Interrupted, NotFound
from modules.terms.extras import ExtrasPicture
from modules.terms.picture_batch import INFO_PROPERTIES, PictureBatch
from modules.terms.progress import Progress

BASE = GenerationRequest(prompt="a house", steps=2, seed=3, width=64, height=64, denoising_strength=0.7)


def noise(seed: int, width: int = 64, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def left_half() -> Image.Image:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    return mask


def made(tools: Tools, watch: Any = None, **changes: Any) -> tuple[list[Made], list[str]]:
    run = BatchRun(PictureBatch(**{"request": BASE, **changes}), tools, watch or (lambda progress, preview=None: None))
    return list(run), run.notes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "in"
    place.mkdir()
    for number, name in enumerate("ba"):
        noise(number).save(place / f"{name}.png")
    (place / "broken.png").write_bytes(b"no picture")
    (place / "notes.txt").write_text("not a picture either")
    return place


def test_a_folder_gives_what_each_picture_alone_would(tools: Tools, folder: Path) -> None:
    results, notes = made(tools, folder=str(folder))
    assert [one.name for one in results] == ["a", "b"]
    for one, number in zip(results, (1, 0), strict=True):
        alone = generate(BASE.with_(source=Source((noise(number),))), tools)
        assert one.result.images[0].image.tobytes() == alone.images[0].image.tobytes()
        assert one.result.images[0].infotext == alone.images[0].infotext
    assert len(notes) == 1
    assert "broken.png" in notes[0]


def test_all_have_one_seed(tools: Tools) -> None:
    pictures = (ExtrasPicture(noise(1), "a"), ExtrasPicture(noise(2), "b"))
    results, _ = made(tools, request=BASE.with_(seed=-1), pictures=pictures)
    assert len({one.result.seeds for one in results}) == 1


def test_each_picture_is_repainted_where_the_mask_of_its_name_says(tools: Tools, folder: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    noise(7).save(folder / "c.png")
    left_half().save(masks / "a.jpg", quality=100)
    left_half().transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(masks / "b.png")
    plain = Mask(Image.new("L", (1, 1)), blur_x=0, blur_y=0)
    results, notes = made(tools, folder=str(folder), mask_folder=str(masks), mask=plain)
    kept = {one.name: np.asarray(one.result.images[0].image) for one in results}
    assert sorted(kept) == ["a", "b"]
    assert any("c was passed over" in note for note in notes)
    right = np.s_[:, 36:], np.s_[:, :28]
    for name, place, number in (("a", right[0], 1), ("b", right[1], 0)):
        assert np.array_equal(kept[name][place], np.asarray(noise(number))[place])
        assert not np.array_equal(kept[name], np.asarray(noise(number)))


def test_one_mask_is_for_all(tools: Tools, folder: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    left_half().save(masks / "any.png")
    plain = Mask(Image.new("L", (1, 1)), blur_x=0, blur_y=0)
    results, _ = made(tools, folder=str(folder), mask_folder=str(masks), mask=plain)
    for one, number in zip(results, (1, 0), strict=True):
        after, before = np.asarray(one.result.images[0].image), np.asarray(noise(number))
        assert np.array_equal(after[:, 36:], before[:, 36:])
        assert not np.array_equal(after[:, :28], before[:, :28])


TEXT = "a red circle\nNegative prompt: blue\nSteps: 1, Sampler: DDIM, CFG scale: 2.5, Seed: 77, Size: 64x64"


def test_the_text_of_a_picture_speaks_where_it_may(tools: Tools, tmp_path: Path) -> None:
    save_image(noise(1), tmp_path / "told.png", TEXT)
    chosen = ("Prompt", "Negative prompt", "Seed", "Sampler")
    results, _ = made(tools, folder=str(tmp_path), use_info=True, info_properties=chosen)
    request = results[0].result.request
    assert (request.prompt, request.negative_prompt) == ("a house a red circle", "blue")
    assert (request.seed, request.sampler) == (77, "DDIM")
    assert (request.steps, request.cfg_scale) == (BASE.steps, BASE.cfg_scale)
    everything, _ = made(tools, folder=str(tmp_path), use_info=True, info_properties=INFO_PROPERTIES)
    assert (everything[0].result.request.steps, everything[0].result.request.cfg_scale) == (1, 2.5)


def test_the_text_may_stand_in_another_folder(tools: Tools, tmp_path: Path, folder: Path) -> None:
    told = tmp_path / "told"
    told.mkdir()
    save_image(noise(1), told / "a.png", TEXT)
    results, _ = made(
        tools, folder=str(folder), use_info=True, info_folder=str(told), info_properties=("Prompt", "Model hash")
    )
    assert [one.result.request.prompt for one in results] == ["a house a red circle", "a house"]


def test_a_picture_whose_text_cannot_be_honoured_is_named(tools: Tools, tmp_path: Path) -> None:
    save_image(noise(1), tmp_path / "a.png", TEXT.replace("DDIM", "Nobody's sampler"))
    noise(2).save(tmp_path / "b.png")
    results, notes = made(tools, folder=str(tmp_path), use_info=True, info_properties=("Sampler",))
    assert [one.name for one in results] == ["b"]
    assert "a was passed over" in notes[0]
    assert "Nobody's sampler" in notes[0]


def test_sizes_follow_the_pictures_if_so_asked(tools: Tools) -> None:
    pictures = (ExtrasPicture(noise(1, 100, 64), "a"), ExtrasPicture(noise(2, 64, 130), "b"))
    results, _ = made(tools, pictures=pictures, scale_by=1.5)
    assert [one.result.images[0].image.size for one in results] == [(144, 96), (96, 192)]


def test_progress_is_that_of_the_whole_and_an_interruption_keeps_what_there_is(tools: Tools) -> None:
    pictures = tuple(ExtrasPicture(noise(number), str(number)) for number in range(3))
    heard: list[float] = []

    def watch(progress: Progress, preview: object = None) -> None:
        heard.append(progress.fraction)
        if progress.phase == "sampling" and progress.fraction > 0.4:
            raise Interrupted("enough")

    results, _ = made(tools, watch, pictures=pictures)
    assert [one.result.interrupted for one in results] == [False, True]
    assert heard == sorted(heard)
    assert heard[-1] < 0.7


def test_what_is_missing_is_said(tools: Tools, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder"):
        made(tools, folder=str(tmp_path / "nowhere"))
    with pytest.raises(NotFound, match="no pictures"):
        made(tools, folder=str(tmp_path))
    with pytest.raises(BadRequest, match="no picture"):
        made(tools)
    with pytest.raises(BadRequest, match="Model hash"):
        made(tools, folder="x", info_properties=("Colour",))
    with pytest.raises(BadRequest, match="masks"):
        made(tools, folder="x", mask_folder="y")
