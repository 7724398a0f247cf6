"""Scripts of extensions take part in jobs as in A1111."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

ALWAYS = """
import gradio as gr
from modules import scripts

class Always(scripts.Script):
    def title(self):
        return "Always there"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return [gr.Checkbox(False, label="Enable"), gr.Slider(0, 1, value=0.5, label="Weight")]

    def process(self, p, on, weight):
        if on:
            p.all_prompts = [text + ", blue" for text in p.all_prompts]
            p.extra_generation_params["Always weight"] = weight

    def postprocess_image(self, p, pp, on, weight):
        if on:
            pp.image = pp.image.rotate(180)

    def postprocess(self, p, processed, on, weight):
        if on:
            from PIL import Image
            processed.images.append(Image.new("RGB", (8, 8), "red"))
"""

TWICE = """
import gradio as gr
from modules import scripts
from modules.processing import Processed, process_images

class Twice(scripts.Script):
    def title(self):
        return "Draw several"

    def ui(self, is_img2img):
        return [gr.Number(2, label="times")]

    def run(self, p, times):
        images, texts = [], []
        p.do_not_save_grid = True
        for number in range(int(times)):
            one = process_images(p)
            images += one.images
            texts += one.infotexts
            p.seed = one.seed + 1
        return Processed(p, images, one.seed, texts[0], infotexts=texts)
"""

BROKEN = """
from modules import script_callbacks, scripts

class Broken(scripts.Script):
    def title(self):
        return "Broken"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def process(self, p):
        raise KeyError("nothing here")

    def process_batch(self, p, **options):
        p.extra_generation_params["Half"] = "done"

    def postprocess(self, p, processed):
        p.comment("tidied up")

script_callbacks.on_cfg_after_cfg(lambda params: 1 / 0)
"""


def pixels(job, number: int = 0) -> np.ndarray:
    return np.asarray(Image.open(job.result["images"][number]["path"]).convert("RGB"))


def test_an_always_on_script_changes_prompt_picture_text_and_results(hosted: Callable) -> None:
    studio = hosted(always=ALWAYS)
    off, on = studio.draw(), studio.draw(scripts={"Always there": (True,)})
    plain = studio.draw(prompt="a red circle, blue")
    np.testing.assert_array_equal(pixels(on), np.rot90(pixels(plain), 2))
    assert not np.array_equal(pixels(off), pixels(plain))
    text = on.result["images"][0]["infotext"]
    assert text.startswith("a red circle, blue\n")
    assert "Always weight: 0.5" in text
    assert [image["width"] for image in on.result["images"]] == [64, 8]
    assert len(off.result["images"]) == 1


def test_a_selected_script_draws_as_often_as_it_likes(hosted: Callable) -> None:
    studio = hosted(twice=TWICE)
    job = studio.draw(script=("Draw several", (3,)))
    assert [image["seed"] for image in job.result["images"]] == [5, 6, 7]
    assert len({image["path"] for image in job.result["images"]}) == 3
    np.testing.assert_array_equal(pixels(job, 1), pixels(studio.draw(seed=6)))


def test_a_script_that_fails_is_named_and_the_picture_is_drawn(hosted: Callable) -> None:
    studio = hosted(broken=BROKEN)
    job = studio.draw()
    assert job.state == "done"
    (failure,) = studio.studio.extensions.failures("broken")
    assert "KeyError" in failure.sentence
    assert "process" in failure.what
    # What it would do later in the job, it would do on what it did not get to.
    assert "Half" not in job.result["images"][0]["infotext"]
    said, tidied = job.result["notes"]
    assert "broken failed in broken.py: process and sits out the rest of this job" in said
    assert tidied == "tidied up"
    assert len(studio.draw().result["notes"]) == 2


def test_an_extension_that_cannot_be_loaded_stops_nobody(hosted: Callable) -> None:
    studio = hosted(bad="import no_such_module_anywhere", twice=TWICE)
    assert "no_such_module_anywhere" in studio.studio.extensions.failures("bad")[0].sentence
    assert "Draw several" in [row["title"] for row in studio.host.rows() if not row["is_img2img"]]


def test_safe_mode_loads_nothing(hosted: Callable) -> None:
    studio = hosted("--safe-mode", twice=TWICE)
    assert "Draw several" not in [row["title"] for row in studio.host.rows()]
