"""Wildcards are chosen by the seed, braces only if asked for, and the template stands beside the result."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from modules.terms.request import GenerationRequest

TITLE = "Wildcards and dynamic prompts"


@pytest.fixture(scope="module", autouse=True)
def wildcards(studio):
    folder = studio.studio.flags.data_dir / "wildcards"
    folder.mkdir()
    (folder / "colour.txt").write_text("red\nblue\n{light|dark} green\n", encoding="utf-8")
    return folder


def prompts(job) -> list[str]:
    return [image["prompt"] for image in job.result["images"] if image["kind"] == "sample"]


def test_a_wildcard_is_one_of_its_lines_and_the_seed_says_which(studio, pixels) -> None:
    job = studio.draw(prompt="a __colour__ circle", batch_size=3, seed=7)
    chosen = prompts(job)
    assert set(chosen) <= {f"a {colour} circle" for colour in ("red", "blue", "light green", "dark green")}
    assert prompts(studio.draw(prompt="a __colour__ circle", seed=8)) == chosen[1:2]
    infotext = job.result["images"][1]["infotext"]
    assert infotext.startswith(chosen[0])
    assert "Template: a __colour__ circle" in infotext
    alone = pixels(studio.draw(prompt=chosen[0], seed=7))
    np.testing.assert_allclose(pixels(job, 1), alone, atol=1)  # in a batch of three, sums round otherwise


def test_prompts_of_those_who_do_not_use_it_stay_as_they_are(studio) -> None:
    job = studio.draw(prompt="a {red|blue} __nothing__ circle")
    assert prompts(job) == ["a {red|blue} __nothing__ circle"]
    assert "Template" not in job.result["images"][0]["infotext"]


@pytest.mark.parametrize("text", ["a circle", "a {red|blue} circle", "a_b"])
def test_a_prompt_with_nothing_open_is_drawn_without_it(studio, text: str) -> None:
    assert not studio.host.wants(GenerationRequest(prompt=text))
    assert studio.host.wants(GenerationRequest(prompt=f"{text} __colour__"))


def test_choices_in_braces_where_they_are_asked_for(studio) -> None:
    job = studio.draw(prompt="a {red|blue} circle", scripts={TITLE: ("Choices in braces too",)}, n_iter=4)
    assert set(prompts(job)) == {"a red circle", "a blue circle"}


def test_every_combination(studio) -> None:
    script = {TITLE: ("All combinations", 100, True)}
    job = studio.draw(prompt="a {red|blue} {circle|square}", negative_prompt="{x|}", scripts=script, batch_size=3)
    assert prompts(job)[::2] == ["a red circle", "a red square", "a blue circle", "a blue square"]
    assert [image["negative_prompt"] for image in job.result["images"][1:3]] == ["x", ""]
    assert {image["seed"] for image in job.result["images"]} == {5}
    assert len(prompts(job)) == 8


def test_too_many_combinations_are_cut_and_said(studio) -> None:
    job = studio.draw(prompt="{a|b|c} {d|e|f}", scripts={TITLE: ("All combinations", 2)})
    assert prompts(job) == ["a d", "a e"]
    assert any("first 2" in note for note in job.result["notes"])


def test_a_missing_wildcard_is_named(studio) -> None:
    job = studio.draw(prompt="a __colour__ __shape__")
    assert any("shape" in note for note in job.result["notes"])


def test_the_script_is_known_to_the_api(studio) -> None:
    rows = [row for row in studio.host.rows() if row["title"] == TITLE]
    assert [row["is_img2img"] for row in rows] == [False, True]
    assert [argument["label"] for argument in rows[0]["args"]] == [
        "What a prompt leaves open",
        "Most combinations",
        "Same seed for all combinations",
    ]
    assert "dynamic_prompts.py" in sys.modules
