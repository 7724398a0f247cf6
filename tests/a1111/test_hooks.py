"""Every hook of a script and every callback of a job comes in A1111's order, with A1111's arguments."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.terms.request import GenerationRequest, Hires, Mask, Source

NO_GRID = {"return_grid": False, "grid_save": False}
REQUEST = GenerationRequest(prompt="a red circle", steps=2, width=64, height=64, seed=5, settings=NO_GRID)

RECORDER = """
import torch
from modules import processing, rng, script_callbacks, scripts, shared
from modules.processing import StableDiffusionProcessingImg2Img, process_images

SAID = []
DO = set()

class Recorder(scripts.Script):
    def title(self):
        return "Recorder"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

def recorded(name):
    def hook(self, p, *args, **options):
        SAID.append((name, args, options))
        change = globals().get("do_" + name)
        if change is not None and name in DO:
            change(p, *args, **options)
    return hook

HOOKS = (
    "setup before_process process before_process_batch after_extra_networks_activate process_batch "
    "process_before_every_sampling before_hr on_mask_blend post_sample postprocess_batch postprocess_batch_list "
    "postprocess_image postprocess_maskoverlay postprocess_image_after_composite postprocess"
).split()
for name in HOOKS:
    setattr(Recorder, name, recorded(name))

def do_process(p):
    p.n_iter = 2
    p.all_prompts = ["a blue circle", "a green square"]
    p.all_negative_prompts, p.all_seeds, p.all_subseeds = ["", ""], [7, 8], [1, 2]
    p.extra_generation_params["Constant"] = 1
    p.extra_generation_params["Listed"] = ["first", "second"]
    p.extra_generation_params["Called"] = lambda **given: "at " + str(given["index"])

def do_before_process_batch(p, batch_number, prompts, seeds, subseeds):
    p.rng = Odd()

class Odd:
    def next(self):
        return torch.zeros(1, 4, 1, 1)

def do_process_batch(p, batch_number, prompts, seeds, subseeds):
    p.rng = rng.ImageRNG(p.rng.shape, [77])

def do_process_before_every_sampling(p, x, noise, c, uc):
    x.zero_()

def do_on_mask_blend(p, mba):
    mba.blended_latent = mba.init_latent

def do_postprocess_batch(p, images, batch_number):
    images.zero_()

def do_postprocess_batch_list(p, pp, batch_number):
    pp.images.append(1 - pp.images[0])
    p.prompts = [*p.prompts, "its negative"]
    p.negative_prompts, p.seeds, p.subseeds = ["", ""], [*p.seeds, 99], [*p.subseeds, 0]

def do_postprocess_image(p, pp):
    other = StableDiffusionProcessingImg2Img(
        sd_model=p.sd_model, prompt="a blue square", init_images=[pp.image], width=64, height=64, steps=2,
        sampler_name="Euler", denoising_strength=0.9, do_not_save_samples=True, do_not_save_grid=True, seed=3,
    )
    other.scripts, other.script_args = None, []
    pp.image = process_images(other).images[0]

def callback(name):
    def heard(params):
        SAID.append((name, (params,), {}))
        change = globals().get("do_" + name)
        if change is not None and name in DO:
            change(params)
    return heard

def do_before_image_saved(params):
    params.pnginfo["more"] = "words"
    params.filename = params.filename.replace(".png", "-renamed.png")

def do_cfg_denoiser(params):
    params.x = params.x * 0

def do_cfg_denoised(params):
    params.x.mul_(0)

def do_cfg_after_cfg(params):
    params.x = params.x * 0
    params.output_altered = True

for name in ("cfg_denoiser", "cfg_denoised", "cfg_after_cfg", "before_image_saved", "image_saved", "extra_noise",
             "model_loaded"):
    getattr(script_callbacks, "on_" + name)(callback(name))
"""


class Recorder:
    """The extension in its studio: what it heard, and what it is to do."""

    def __init__(self, hosted: Any) -> None:
        self.hosted = hosted
        self.module = sys.modules["recorder.py"]

    def draw(self, request: GenerationRequest = REQUEST, *, do: str = "", **changes: Any) -> Any:
        self.module.SAID.clear()
        self.module.DO.clear()
        self.module.DO.update(do.split())
        job = self.hosted.draw(request, **changes)
        assert job.state == "done", job.error
        assert not self.hosted.studio.extensions.failures("recorder")
        return job

    @property
    def hooks(self) -> list[str]:
        return [name for name, _, _ in self.module.SAID if name in self.module.HOOKS]

    def heard(self, name: str) -> list[tuple[Any, ...]]:
        return [(*args, options) for said, args, options in self.module.SAID if said == name]


@pytest.fixture(scope="module")
def recorder(hosted_once: Callable) -> Recorder:
    return Recorder(hosted_once(recorder=RECORDER))


def pixels(job: Any, number: int = 0) -> np.ndarray:
    return np.asarray(Image.open(job.result["images"][number]["path"]).convert("RGB"))


FIRST = ["setup", "before_process", "process"]
BATCH = ["before_process_batch", "after_extra_networks_activate", "process_batch", "process_before_every_sampling"]
AFTER = ["post_sample", "postprocess_batch", "postprocess_batch_list"]
PICTURE = ["postprocess_image", "postprocess_image_after_composite"]


def test_hooks_of_txt2img_come_in_order(recorder: Recorder) -> None:
    recorder.draw(n_iter=2, batch_size=1)
    batch = [*BATCH, *AFTER, *PICTURE]
    assert recorder.hooks == [*FIRST, *batch, *batch, "postprocess"]
    (options,) = recorder.heard("process_batch")[1]
    assert {name: options[name] for name in ("batch_number", "prompts", "seeds")} == {
        "batch_number": 1,
        "prompts": ["a red circle"],
        "seeds": [6],
    }
    (options,) = recorder.heard("process_before_every_sampling")[0]
    assert options["x"] is options["noise"]
    assert tuple(options["x"].shape) == (1, 4, 8, 8)
    assert abs(float(options["noise"].std()) - 1) < 0.3
    assert options["c"].batch[0][0].schedules[0].cond.shape[0] == 77
    assert options["uc"][0][0].end_at_step == 2
    (options,) = recorder.heard("postprocess_batch")[0]
    assert tuple(options["images"].shape) == (1, 3, 64, 64)


def test_the_second_pass_tells_of_its_networks_again(recorder: Recorder) -> None:
    recorder.draw(hires=Hires(scale=1.5, upscaler="Latent"), denoising_strength=0.5)
    again = ["after_extra_networks_activate", "process_before_every_sampling"]
    assert recorder.hooks.index("before_hr") > recorder.hooks.index("process_before_every_sampling")
    assert [recorder.hooks.count(name) for name in again] == [2, 2]
    assert [len(recorder.heard(name)) for name in ("cfg_denoiser", "cfg_denoised", "cfg_after_cfg")] == [4, 4, 4]


def test_a_mask_is_blended_at_each_step_and_at_the_end(recorder: Recorder) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    picture = Image.new("RGB", (64, 64), "red")
    source = Source((picture,), mask=Mask(mask, only_masked=False, fill=1))
    drawn = recorder.draw(source=source, denoising_strength=0.9)
    blends = [one[0] for one in recorder.heard("on_mask_blend")]
    assert [blend.is_final_blend for blend in blends] == [False] * (len(blends) - 1) + [True]
    assert len(blends) >= 2
    assert float((blends[0].mask + blends[0].nmask - 1).abs().max()) == 0
    assert "postprocess_maskoverlay" in recorder.hooks
    kept = recorder.draw(source=source, denoising_strength=0.9, do="on_mask_blend")
    assert not np.array_equal(pixels(drawn), pixels(kept))


def test_what_process_writes_is_drawn(recorder: Recorder) -> None:
    job = recorder.draw(do="process")
    assert [image["seed"] for image in job.result["images"]] == [7, 8]
    texts = [image["infotext"] for image in job.result["images"]]
    assert [text.split("\n")[0] for text in texts] == ["a blue circle", "a green square"]
    assert "Constant: 1" in texts[0]
    assert "Listed: first" in texts[0] and "Listed: second" in texts[1]
    assert "Called: at 0" in texts[0] and "Called: at 1" in texts[1]


@pytest.mark.parametrize(
    "hook",
    [
        "process_before_every_sampling",
        "postprocess_batch",
        "postprocess_image",
        "cfg_denoiser",
        "cfg_denoised",
        "cfg_after_cfg",
    ],
)
def test_what_a_hook_changes_shows(recorder: Recorder, hook: str) -> None:
    assert not np.array_equal(pixels(recorder.draw()), pixels(recorder.draw(do=hook)))


@pytest.mark.parametrize("sampler", ["Euler", "Euler a"])
def test_noise_comes_from_what_stands_for_p_rng(recorder: Recorder, sampler: str) -> None:
    other = pixels(recorder.draw(sampler=sampler, do="process_batch"))
    np.testing.assert_array_equal(other, pixels(recorder.draw(sampler=sampler, seed=77)))


def test_noise_of_another_shape_is_refused_with_its_origin(recorder: Recorder) -> None:
    recorder.module.DO.update(["before_process_batch"])
    job = recorder.hosted.draw(REQUEST)
    recorder.module.DO.clear()
    assert "put Odd of recorder.py in place of p.rng" in job.error


def test_a_batch_may_get_more_pictures(recorder: Recorder) -> None:
    job = recorder.draw(do="postprocess_batch_list")
    assert [image["seed"] for image in job.result["images"]] == [5, 99]
    assert job.result["images"][1]["infotext"].startswith("its negative")
    np.testing.assert_allclose(pixels(job).astype(int) + pixels(job, 1), 255, atol=1)


def test_pictures_are_told_of_before_and_after_they_are_saved(recorder: Recorder) -> None:
    job = recorder.draw(do="before_image_saved")
    path = job.result["images"][0]["path"]
    assert path.endswith("-renamed.png")
    assert Image.open(path).info["more"] == "words"
    ((params, _),) = recorder.heard("image_saved")
    assert params.filename == path
    assert params.p.prompt == "a red circle"


def test_extra_noise_and_loading_are_told(recorder: Recorder) -> None:
    source = Source((Image.new("RGB", (64, 64), "red"),))
    recorder.draw(source=source, settings={"img2img_extra_noise": 0.1})
    ((params, _),) = recorder.heard("extra_noise")
    assert params.noise.shape == params.x.shape == params.xi.shape
    recorder.hosted.studio.unload()
    recorder.draw()
    assert len(recorder.heard("model_loaded")) == 1
