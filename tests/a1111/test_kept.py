"""What a script has drawn is kept for as long as its job is not whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.a1111.kept import MOST_FOLDERS, Kept, digest
from modules.a1111.parts import PartWatch
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest
from modules.terms.result import GeneratedImage, GenerationResult

REQUEST = GenerationRequest(prompt="a", seed=3)


def result(request: GenerationRequest = REQUEST, **changes) -> GenerationResult:
    pixels = np.random.default_rng(request.seed + 1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = GeneratedImage(Image.fromarray(pixels), request.prompt, "", 3, 4, "text", **changes)
    return GenerationResult(request.with_(subseed=4, checkpoint="x"), (image,), (3,), (4,), extra={"Lora hashes": "a"})


def test_a_part_comes_back_as_it_was(tmp_path: Path) -> None:
    kept, whole = Kept(tmp_path, "job"), result()
    kept.add(kept.name_of(REQUEST, ()), whole)
    again = Kept(tmp_path, "job")
    found = again.find(again.name_of(REQUEST, ()), REQUEST)
    assert found is not None
    np.testing.assert_array_equal(np.asarray(found.images[0].image), np.asarray(whole.images[0].image))
    assert dataclasses.replace(found, images=()) == dataclasses.replace(whole, images=())
    assert dataclasses.replace(found.images[0], image=None) == dataclasses.replace(whole.images[0], image=None)


def test_the_second_of_two_like_parts_is_another(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "job")
    kept.add(kept.name_of(REQUEST, ()), result())
    assert kept.find(kept.name_of(REQUEST, ()), REQUEST) is None


@pytest.mark.parametrize("seed, found", [(3, True), (-1, False)])
def test_another_job_may_use_it_unless_the_seed_was_left_to_chance(tmp_path: Path, seed: int, found: bool) -> None:
    request = REQUEST.with_(seed=seed)
    kept, other = Kept(tmp_path, "job"), Kept(tmp_path, "other")
    kept.add(kept.name_of(request, ()), result(request))
    assert (other.find(other.name_of(request, ()), request) is not None) == found


def test_what_was_broken_off_is_not_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "job")
    kept.add("a", result(complete=False))
    kept.add("b", dataclasses.replace(result(), interrupted=True))
    assert not kept.folder.exists()


def test_a_whole_job_leaves_nothing_and_an_interrupted_one_stays_for_a_while(tmp_path: Path) -> None:
    for number in range(MOST_FOLDERS + 2):
        kept = Kept(tmp_path, f"job{number}")
        kept.add("a", result())
        kept.finish(interrupted=True)
    assert len(list(tmp_path.iterdir())) == MOST_FOLDERS
    kept.finish(interrupted=False)
    assert not kept.folder.exists()


def test_digests_tell_values_apart() -> None:
    picture = Image.new("RGB", (2, 2), "red")
    values = [
        REQUEST,
        REQUEST.with_(steps=9),
        (1, 2),
        (12,),
        ("1", 2),
        picture,
        picture.copy().rotate(90),
        {"a": 1},
        {"b": 1},
    ]
    values[6].putpixel((0, 0), (0, 0, 0))
    assert len({digest(value) for value in values}) == len(values)
    assert digest(picture) == digest(picture.copy())


def test_parts_make_one_progress() -> None:
    told: list[float] = []
    for done in range(3):
        watch = PartWatch(lambda progress, preview=None: told.append(progress.fraction), done, 3, 1)
        for step in range(5):
            # A hires pass counts as a second one.
            for passed in range(2):
                watch(Progress("sampling", step, 4, batch=passed, batches=2))
    assert max(told) == 1.0
    assert told[0] == 0.0
    assert min(told[-10:]) == pytest.approx(2 / 3)
