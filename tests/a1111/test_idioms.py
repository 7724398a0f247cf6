"""What popular extensions do with pieces of A1111 that the studio has in another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.a1111.page.components import pair_choices

SCRIPT = """
import gradio as gr
import torch
from ldm.models.diffusion import ddim
from ldm.modules.diffusionmodules.util import make_ddim_sampling_parameters, make_ddim_timesteps
from modules import script_callbacks, scripts, shared
from modules.api.models import StableDiffusionTxt2ImgProcessingAPI


class Task(StableDiffusionTxt2ImgProcessingAPI):
    checkpoint: str = "own"

    class Config(StableDiffusionTxt2ImgProcessingAPI.__config__):
        title = "Task"


class Unit:
    weight = 0.0


class Idioms(scripts.Script):
    seen = []

    def __init__(self):
        self.kept = ddim.DDIMSampler.p_sample_ddim
        ddim.DDIMSampler.p_sample_ddim = self.kept

    def title(self):
        return "Idioms"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        several = gr.Dropdown(["a", "b"], multiselect=True)
        return [gr.State(value=Unit), gr.Textbox(label="Text"), gr.Dropdown(["a", "b"]), gr.Textbox("given"), several]

    def process(self, p, *values):
        self.seen.append(values)


class Rows:
    # As an extension replaces the encoder of rows of tokens: told what was said, it says it otherwise.
    def __init__(self, before):
        self.before, self.factor, self.rows = before, 1.0, []

    def __call__(self, tokens, multipliers):
        self.rows.append(([len(one) for one in tokens], multipliers))
        return self.before(tokens, multipliers) * self.factor


ROWS = []


def loaded(sd_model):
    ROWS.append(Rows(sd_model.cond_stage_model.process_tokens))
    sd_model.cond_stage_model.process_tokens = ROWS[0]


script_callbacks.on_model_loaded(loaded)
WANTED, GUIDED = [], []


def without_negatives(x_out, conds_list, uncond, cond_scale):
    GUIDED.append((len(x_out), conds_list, len(uncond), cond_scale))
    return x_out[: len(uncond)]


def put_in_place(params):
    if WANTED:
        # Of this object alone, while the network is about to be asked.
        params.denoiser.combine_denoised = without_negatives


script_callbacks.on_cfg_denoiser(put_in_place)
"""


@pytest.fixture(scope="module")
def studio(hosted_once: Callable[..., Any]) -> Any:
    return hosted_once(
        idioms=SCRIPT,
        absent="from modules import ui_of_another_version",
        gone="import modules.initialize_of_another_version",
        asking="""
import importlib.util
try:
    from modules import ui_of_another_version
except ImportError:
    ui_of_another_version = None
FOUND = importlib.util.find_spec("modules.ui_of_another_version")
""",
    )


@pytest.fixture
def module(studio: Any) -> Any:
    import sys

    return sys.modules["idioms.py"]


def pixels(job: Any) -> Any:
    assert job.state == "done", job.error
    return np.asarray(Image.open(next(iter(job.result["images"]))["path"]), dtype=float)


def test_it_loads(studio: Any, module: Any) -> None:
    assert studio.studio.extensions.failures("idioms") == ()
    task = module.Task(prompt="a cat")
    assert (task.prompt, task.checkpoint) == ("a cat", "own")


@pytest.mark.parametrize(
    ("name", "wanted"), [("absent", "modules.ui_of_another_version"), ("gone", "modules.initialize_of_another_version")]
)
def test_a_module_that_is_not_offered_says_who_asked_for_it(studio: Any, name: str, wanted: str) -> None:
    (failure,) = studio.studio.extensions.failures(name)
    assert f"{wanted} is not offered here; {name} asked for it." in failure.sentence
    assert "docs/extensions.md" in failure.sentence


def test_who_can_do_without_it_goes_on(studio: Any) -> None:
    import sys

    assert studio.studio.extensions.failures("asking") == ()
    assert sys.modules["asking.py"].FOUND is None


def test_a_flag_that_may_be_given_again_is_a_list(module: Any) -> None:
    assert module.shared.cmd_opts.styles_file == module.shared.styles_filename
    assert isinstance(module.shared.cmd_opts.styles_file, list)


def test_ddim_is_there_to_be_read_and_says_that_it_does_not_walk(module: Any) -> None:
    with pytest.raises(AttributeError, match=r"DDIMSampler is not offered here.*docs/extensions.md"):
        module.ddim.DDIMSampler(None)


def test_the_parameters_of_ddim_are_those_of_the_paper(module: Any) -> None:
    alphas = np.linspace(0.99, 0.01, 100)
    steps = module.make_ddim_timesteps("uniform", 10, 100)
    assert list(steps[:3]) == [1, 11, 21]
    sigmas, now, before = module.make_ddim_sampling_parameters(alphas, steps, eta=1.0)
    # With eta 1 it is the noise that DDPM adds: the variance of x_{t-1} given x_t and x_0.
    assert sigmas**2 == pytest.approx((1 - before) / (1 - now) * (1 - now / before))
    assert not module.make_ddim_sampling_parameters(alphas, steps, eta=0.0)[0].any()


def test_a_state_of_a_class_holds_an_object_of_it(studio: Any, module: Any) -> None:
    studio.draw()
    assert isinstance(module.Idioms.seen[-1][0], module.Unit)


def test_components_without_a_value_begin_as_in_gradio_3(studio: Any, module: Any) -> None:
    import gradio as gr

    studio.draw()
    assert module.Idioms.seen[-1][1:] == ("", None, "given", [])
    # Our own page is plain Gradio 6.
    assert gr.Dropdown(["a", "b"]).value == "a"


def test_what_encodes_tokens_can_be_replaced(studio: Any, module: Any) -> None:
    before = pixels(studio.draw(prompt="a (red:1.3) circle", steps=4, cfg_scale=5.0))
    rows = module.ROWS[0]
    assert rows.rows[-1][0] == [77]
    assert any(1.3 in multipliers[0] for _, multipliers in rows.rows)
    rows.factor = 0.2
    after = pixels(studio.draw(prompt="a (red:1.3) circle", steps=4, cfg_scale=5.0))
    assert np.abs(after - before).mean() > 1


def test_a_replaced_encoder_that_changes_nothing_changes_no_picture(studio: Any, module: Any) -> None:
    module.ROWS[0].factor = 1.0
    replaced = pixels(studio.draw(prompt="a [red:blue:0.5] circle, (bright:1.2)", steps=4))
    del module.shared.sd_model.cond_stage_model.process_tokens
    assert np.abs(pixels(studio.draw(prompt="a [red:blue:0.5] circle, (bright:1.2)", steps=4)) - replaced).max() <= 1


def test_choices_written_as_words_become_pairs() -> None:
    import gradio as gr

    with gr.Blocks(analytics_enabled=False):
        filled, given = gr.Dropdown(), gr.Radio(["a", ("B", "b")])
        filled.choices = ["one", 2]  # type: ignore[list-item]
        pair_choices()
    assert filled.choices == [("one", "one"), ("2", 2)]
    assert given.choices == [("a", "a"), ("B", "b")]


def test_a_callback_may_put_another_guidance_in_place(studio: Any, module: Any) -> None:
    before = pixels(studio.draw(cfg_scale=6.0))
    module.WANTED.append(True)
    changed = pixels(studio.draw(cfg_scale=6.0))
    module.WANTED.clear()
    assert module.GUIDED[-1] == (2, [[(0, 1.0)]], 1, 6.0)
    assert np.abs(changed - before).max() > 1
    # What it leaves is the prompt's own answer, which is what a scale of 1 says.
    assert np.abs(changed - pixels(studio.draw(cfg_scale=1.0))).max() <= 1
    assert np.abs(before - pixels(studio.draw(cfg_scale=6.0))).max() == 0
