"""X/Y/Z plot: each cell is the picture drawn alone, whatever order the cells are drawn in."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

TITLE = "X/Y/Z plot"
DEFAULTS: dict[str, Any] = {
    **{f"{axis}_{part}": value for axis in "xyz" for part, value in (("type", 0), ("values", ""), ("menu", []))},
    "legend": False,
    "lone": True,
    "sub_grids": False,
    "keep_random": False,
    "vary_x": False,
    "vary_y": False,
    "vary_z": False,
    "margin": 0,
    "by_text": True,
}


def plot(**changes: Any) -> tuple[str, tuple[Any, ...]]:
    return TITLE, tuple({**DEFAULTS, **changes}.values())


def test_each_cell_is_the_picture_drawn_alone(studio, pixels) -> None:
    job = studio.draw(script=plot(x_type="Seed", x_values="5,6", y_type="Steps", y_values="1,2"))
    assert job.state == "done", job.error
    kinds = [image["kind"] for image in job.result["images"]]
    assert kinds == ["grid", *["sample"] * 4]
    assert [image["seed"] for image in job.result["images"][1:]] == [5, 6, 5, 6]
    sheet = pixels(job)
    assert sheet.shape == (128, 128, 3)
    for number, (steps, seed) in enumerate([(1, 5), (1, 6), (2, 5), (2, 6)]):
        alone = pixels(studio.draw(seed=seed, steps=steps))
        np.testing.assert_array_equal(pixels(job, 1 + number), alone)
        row, column = divmod(number, 2)
        np.testing.assert_array_equal(sheet[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64], alone)


def test_the_grid_says_what_was_varied_and_the_pictures_do_not(studio) -> None:
    script = plot(x_type="Seed", x_values="-1", y_type="Prompt S/R", y_values='red, "blue, green"', legend=True)
    job = studio.draw(script=script)
    grid, first, second = (image["infotext"] for image in job.result["images"])
    seed = job.result["images"][1]["seed"]
    assert f"Script: {TITLE}, X Type: Seed, X Values: -1, Fixed X Values: {seed}, Y Type: Prompt S/R" in grid
    assert "X Type" not in first
    assert second.startswith("a blue, green circle\n")


def test_a_third_axis_makes_a_grid_of_grids(studio, pixels) -> None:
    script = plot(x_type="Seed", x_values="5-6", z_type="CFG Scale", z_values="1-3 [3]", sub_grids=True, margin=4)
    job = studio.draw(script=script)
    sizes = [(image["width"], image["height"]) for image in job.result["images"]]
    assert sizes == [(3 * 132, 64), *[(132, 64)] * 3, *[(64, 64)] * 6]
    assert len({image["path"] for image in job.result["images"]}) == 10


def test_seeds_vary_along_the_axes_that_are_asked_for(studio) -> None:
    script = plot(x_type="Steps", x_values="1,2", y_type="CFG Scale", y_values="3,4,5", vary_x=True, vary_y=True)
    job = studio.draw(script=script, seed=10)
    assert [image["seed"] for image in job.result["images"][1:]] == [10, 11, 12, 13, 14, 15]


def test_only_the_grid_comes_back_by_itself(studio) -> None:
    job = studio.draw(script=plot(x_type="Seed", x_values="1-3", lone=False))
    assert [image["kind"] for image in job.result["images"]] == ["grid"]


@pytest.mark.parametrize(
    ("axis", "values", "wanted"),
    [
        ("Sampler", "Euler, Oiler", "Euler"),
        ("Checkpoint name", "nothing-like-it", "Unknown checkpoint"),
        ("Prompt S/R", "purple, green", "did not find 'purple'"),
        ("Prompt order", "red, purple", "did not find 'purple'"),
        ("Steps", "five", "whole number"),
        ("Steps", "", "no values"),
        ("Size", "64by64", "no size"),
        ("VAE", "nothing-like-it", "VAE: there is no"),
        ("Denoising", "1.5", "not between"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_is_drawn(studio, axis: str, values: str, wanted: str) -> None:
    job = studio.draw(script=plot(x_type=axis, x_values=values))
    assert job.state == "failed"
    assert wanted in job.error
    assert job.error_status == 422


def test_checkpoints_change_least_often(studio) -> None:
    module = sys.modules["xyz_grid.py"]
    plot_of = module.built_in.Plot((2, 3, 2), (1.0, 0.0, 0.7), (64, 64))
    order = [(cell.x, cell.z, cell.y) for cell in plot_of.order()]
    assert order == sorted(order)
    assert len(set(order)) == 12


def test_a_value_that_fails_leaves_a_blank_tile(studio, pixels) -> None:
    job = studio.draw(script=plot(x_type="Size", x_values="64x64, 32x32"))
    assert job.state == "done", job.error
    assert [image["kind"] for image in job.result["images"]] == ["grid", "sample"]
    assert (pixels(job)[:, 64:] == 255).all()
    assert any("32x32" in note for note in job.result["notes"])
