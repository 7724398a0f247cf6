"""A plot that was broken off goes on: the cells that were drawn are not drawn again."""

from __future__ import annotations

import time

import numpy as np

from modules.generation import pipeline

SCRIPT = ("X/Y/Z plot", ("Seed", "5-8", [], 0, "", [], 0, "", [], False, True, False, False, *[False] * 3, 0, True))


def counted(monkeypatch) -> list[int]:
    """The seeds that are really drawn from now on."""
    from modules.a1111 import drawing

    seeds: list[int] = []

    def generate(request, *args):
        seeds.append(request.seed)
        return pipeline.generate(request, *args)

    monkeypatch.setattr(drawing, "generate", generate)
    return seeds


def test_an_interrupted_plot_keeps_its_cells_and_the_next_one_takes_them(studio, pixels, monkeypatch) -> None:
    seeds = counted(monkeypatch)
    jobs = studio.studio.jobs
    request = studio.request(script=SCRIPT, steps=2)
    job = studio.studio.submit(request)
    while len(seeds) < 3 and not jobs.get(job.id).is_final:
        time.sleep(0.005)
    jobs.interrupt(job.id)
    job = jobs.wait(job.id)
    assert job.state == "done", job.error
    assert job.interrupted
    kinds = [image["kind"] for image in job.result["images"]]
    assert kinds[0] == "grid"
    assert 3 <= len(kinds) <= 4
    whole = [image for image in job.result["images"][1:] if image["complete"]]
    seeds.clear()
    again = jobs.wait(studio.studio.submit(request).id)
    assert again.state == "done", again.error
    assert not set(seeds) & {image["seed"] for image in whole}
    assert [image["seed"] for image in again.result["images"][1:]] == [5, 6, 7, 8]
    for number, seed in enumerate((5, 8), start=0):
        place = 1 + number * 3
        np.testing.assert_array_equal(pixels(again, place), pixels(studio.draw(seed=seed, steps=2)))
    assert not list((jobs.folder / "drawn").iterdir()) or job.id in {
        folder.name for folder in (jobs.folder / "drawn").iterdir()
    }


def test_the_live_picture_is_the_plot_so_far(studio) -> None:
    jobs = studio.studio.jobs
    job = studio.studio.submit(studio.request(script=SCRIPT, steps=2, seed=11))
    sizes, fractions = set(), [0.0]
    while not jobs.get(job.id).is_final:
        preview = jobs.preview(job.id)
        if preview is not None:
            sizes.add(preview.image.size)
        fractions.append(jobs.get(job.id).fraction)
        time.sleep(0.01)
    assert jobs.get(job.id).state == "done"
    assert sizes == {(256, 64)} or sizes == set()
    assert fractions == sorted(fractions)
