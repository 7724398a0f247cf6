"""The selectable scripts draw what they say, and say what they cannot draw."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from modules.terms.request import Source

PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
SOURCE = Source((PICTURE,))


def drawn(job) -> list[dict]:
    assert job.state == "done", job.error
    return job.result["images"]


def sizes(job) -> list[tuple[int, int]]:
    return [(image["width"], image["height"]) for image in drawn(job)]


def test_prompt_matrix_draws_every_combination(studio, pixels) -> None:
    script = ("Prompt matrix", (False, True, "positive", "comma", 0))
    job = studio.draw(prompt="a circle|red|in a field", batch_size=3, script=script)
    grid, *samples = drawn(job)
    assert grid["kind"] == "grid"
    wanted = ["a circle", "a circle, red", "a circle, in a field", "a circle, red, in a field"]
    assert [image["prompt"] for image in samples] == wanted
    assert [image["seed"] for image in samples] == [5, 6, 7, 8]
    alone = pixels(studio.draw(prompt=wanted[1], seed=6))
    np.testing.assert_allclose(pixels(job, 2), alone, atol=1)  # in a batch of three, sums round otherwise


def test_prompt_matrix_of_the_negative_prompt(studio) -> None:
    script = ("Prompt matrix", (True, False, "negative", "space", 0))
    samples = drawn(studio.draw(negative_prompt="blur|text", script=script))[1:]
    assert [image["negative_prompt"] for image in samples] == ["blur", "text blur"]
    assert {image["seed"] for image in samples} == {5}


def test_prompts_from_file_change_what_each_line_says(studio) -> None:
    lines = "\n".join(
        [
            "a square",
            "--prompt a blue square --steps 1 --seed 9 --sampler_name k_euler_a --n_iter 2",
            '--prompt "never closed',
            "--nothing 1",
            "--negative_prompt blur --width 128 --cfg_scale 3.5",
        ]
    )
    job = studio.draw(prompt="", script=("Prompts from file or textbox", (False, False, "start", lines)))
    images = drawn(job)
    assert [image["seed"] for image in images] == [5, 9, 10, 5, 5, 5]
    assert "Steps: 1, Sampler: Euler a," in images[1]["infotext"]
    assert [image["width"] for image in images] == [64] * 5 + [128]
    notes = " ".join(job.result["notes"])
    assert "line 3" in notes
    assert "line 4" in notes
    assert "line 5" not in notes


def test_the_seed_may_go_on_from_line_to_line(studio) -> None:
    script = ("Prompts from file or textbox", (True, False, "end", "one\ntwo\nthree"))
    images = drawn(studio.draw(prompt="a", script=script))
    assert [(image["seed"], image["prompt"]) for image in images] == [(5, "a one"), (6, "a two"), (7, "a three")]


def test_loopback_draws_over_its_own_result(studio, pixels) -> None:
    job = studio.draw(source=SOURCE, denoising_strength=0.8, script=("Loopback", (3, 0.4, "Linear", "None")))
    grid, *samples = drawn(job)
    assert (grid["width"], grid["height"]) == (192, 64)
    assert [image["seed"] for image in samples] == [5, 6, 7]
    strengths = [image["infotext"].partition("Denoising strength: ")[2][:3] for image in samples]
    assert strengths == ["0.8", "0.6", "0.4"]
    again = studio.draw(source=Source((Image.fromarray(pixels(job, 1)),)), denoising_strength=0.6, seed=6)
    np.testing.assert_array_equal(pixels(job, 2), pixels(again))


@pytest.mark.parametrize(("curve", "half"), [("Aggressive", 0.2929), ("Linear", 0.5), ("Lazy", 0.7071)])
def test_curves_of_the_denoising_strength(studio, curve: str, half: float) -> None:
    strength_after = sys.modules["loopback.py"].strength_after
    values = [strength_after(loop, 3, 1.0, 0.0, curve) for loop in range(3)]
    assert values == pytest.approx([1.0, half, 0.0], abs=1e-4)


def test_sd_upscale_without_denoising_is_the_enlarged_picture(studio, pixels) -> None:
    script = ("SD upscale", (None, 16, "Lanczos", 2.0))
    job = studio.draw(source=SOURCE, denoising_strength=0.3, batch_size=2, script=script)
    assert sizes(job) == [(128, 128)]
    assert "SD upscale overlap: 16, SD upscale upscaler: Lanczos" in drawn(job)[0]["infotext"]
    refused = studio.draw(source=SOURCE, script=("SD upscale", (None, 64, 0, 2.0)))
    assert "cannot overlap" in refused.error


@pytest.mark.parametrize(
    "script",
    [
        ("Outpainting mk2", (None, 32, 4, ["left", "down"], 1.0, 0.05)),
        ("Poor man's outpainting", (32, 4, "fill", ["left", "down"])),
    ],
    ids=lambda script: script[0],
)
def test_outpainting_extends_the_sides_asked_for(studio, pixels, script: tuple) -> None:
    job = studio.draw(source=SOURCE, denoising_strength=0.8, script=script)
    assert sizes(job) == [(128, 128)]
    # Far from the seams the picture is the one that was there, but for the trip through the VAE at its edges.
    assert len({image["path"] for image in drawn(job)}) == 1


def test_the_noise_of_a_picture_gives_it_back(studio, pixels) -> None:
    """What the model drew is drawn again from the noise that is found for it; from other noise it is not."""
    picture = pixels(studio.draw(steps=12, cfg_scale=1.0))
    source = Source((Image.fromarray(picture),))

    def far(randomness: float) -> float:
        script = (None, True, True, "a red circle", "", True, 24, True, 1.0, randomness, True)
        # Another seed: that of the picture would give it back by its own noise.
        job = studio.draw(source=source, cfg_scale=1.0, seed=77, script=("img2img alternative test", script))
        return float(np.abs(pixels(job).astype(float) - picture).mean())

    assert far(0.0) < 0.5 * far(1.0)


def test_custom_code_is_there_only_with_its_flag(studio) -> None:
    assert "Custom code" not in {row["title"] for row in studio.host.rows()}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (("Loopback", ("x", 0.4, "Linear", "None")), "Argument 1 of Loopback (Loops) is 'x', but must be a number."),
        (("Loopback", (float("nan"),)), "must be a number"),
        (("Loopback", (1, 0.4, {}, "None")), "must be one of its choices"),
        (("Outpainting mk2", ("", 8, 8, 0)), "(Outpainting direction) is '0', but must be a list of its choices."),
    ],
)
def test_an_argument_of_the_wrong_kind_is_named(studio, script: tuple[str, tuple], words: str) -> None:
    job = studio.draw(source=SOURCE, denoising_strength=0.8, script=script)
    assert (job.state, job.error_status) == ("failed", 422)
    assert words in job.error


def test_arguments_that_old_payloads_leave_empty_are_empty(studio) -> None:
    plot = ("X/Y/Z plot", (1, 7, None, 0, None, "", 0, "", None))
    assert "Seed: 7," in drawn(studio.draw(script=plot))[-1]["infotext"]
