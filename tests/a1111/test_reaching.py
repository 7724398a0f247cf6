"""What popular extensions take from places of A1111 that have no name for it: its files, its database of embeddings,
its source text, the packages that it has."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

TEMPORARY = """
import json
from pathlib import Path

import gradio as gr
import torch
from modules import scripts, sd_hijack, sd_models, shared
from modules.textual_inversion.textual_inversion import Embedding

SETTINGS = json.load(open(shared.cmd_opts.ui_settings_file))
VECTORS = []
NONE = gr.CheckboxGroup(value=False, choices=["a", "b"])
HERE = Path(scripts.basedir()).relative_to(Path().absolute()).as_posix()


class Temporary(scripts.Script):
    def title(self):
        return "Temporary"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def process(self, p):
        for number, vectors in enumerate(VECTORS):
            made = Embedding(vectors, f"<'T{number}'>")
            made.vectors, made.shape = vectors.shape
            sd_hijack.model_hijack.embedding_db.register_embedding_by_name(made, shared.sd_model, made.name)

    def postprocess(self, p, processed):
        for number in range(len(VECTORS)):
            sd_hijack.model_hijack.embedding_db.register_embedding_by_name(None, shared.sd_model, f"<'T{number}'>")
"""


@pytest.fixture(scope="module")
def studio(hosted_once: Callable[..., Any]) -> Any:
    return hosted_once(
        temporary=TEMPORARY,
        reading="""
import inspect
from modules.sd_samplers_cfg_denoiser import CFGDenoiser
SOURCE = inspect.getsource(CFGDenoiser.forward)
""",
        olderbase="""
from pydantic import BaseModel
class Task(BaseModel):
    name: str
class Own(Task):
    class Config(Task.__config__):
        exclude = ["name"]
""",
    )


@pytest.fixture
def module(studio: Any) -> Any:
    found = sys.modules["temporary.py"]
    yield found
    found.VECTORS.clear()


def pixels(job: Any) -> Any:
    assert job.state == "done", job.error
    return np.asarray(Image.open(next(iter(job.result["images"]))["path"]), dtype=float)


def test_the_file_of_settings_is_there_to_be_read(module: Any) -> None:
    assert module.SETTINGS["samples_format"] == "png"


def test_a_list_of_ticks_that_begins_with_false_has_none(module: Any) -> None:
    assert module.NONE.preprocess(module.NONE.value) == []


def test_scripts_are_loaded_in_the_folder_that_has_extensions(module: Any) -> None:
    assert module.HERE == "extensions/temporary"
    assert Path.cwd() != Path(module.scripts.basedir()).parents[1]


def test_an_embedding_that_is_registered_for_a_job_draws_in_it(studio: Any, module: Any) -> None:
    prompt = "a circle, <'T0'>"
    without = pixels(studio.draw(prompt=prompt))
    width = module.sd_hijack.model_hijack.embedding_db.get_expected_shape()
    row = np.random.default_rng(3).normal(size=(1, width)).astype("float32")
    module.VECTORS.append(module.torch.from_numpy(row))
    drawn = pixels(studio.draw(prompt=prompt))
    assert not np.array_equal(drawn, without)
    assert np.array_equal(pixels(studio.draw(prompt=prompt)), drawn)
    module.VECTORS[0] = -module.VECTORS[0]
    assert not np.array_equal(pixels(studio.draw(prompt=prompt)), drawn)
    module.VECTORS.clear()
    assert np.array_equal(pixels(studio.draw(prompt=prompt)), without)


def test_what_is_written_into_the_database_is_found_there(studio: Any, module: Any) -> None:
    database = module.sd_hijack.model_hijack.embedding_db
    pixels(studio.draw())
    made = module.Embedding(module.torch.ones(2, database.get_expected_shape()), "written")
    database.word_embeddings["written"] = made
    assert database.word_embeddings["written"] is made
    assert "written" in studio.studio.engine.when_started(lambda tools: tools).embeddings.added
    del database.word_embeddings["written"]
    assert "written" not in database.word_embeddings


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("reading", "modules.sd_samplers_cfg_denoiser.CFGDenoiser.forward"), ("olderbase", "pydantic 1's __config__")],
)
def test_source_and_packages_that_are_not_here_say_so(studio: Any, name: str, wanted: str) -> None:
    (failure,) = studio.studio.extensions.failures(name)
    assert f"{wanted} is not offered here" in failure.sentence
    assert f"{name} asked for it. docs/extensions.md lists what is." in failure.sentence


def test_a_model_that_is_merged_in_memory_is_drawn_with(studio: Any, module: Any) -> None:
    before, first = pixels(studio.draw()), module.sd_models.select_checkpoint()
    state = module.sd_models.read_state_dict(first.filename)
    merged = {key: value * 1.1 if "diffusion_model.out." in key else value for key, value in state.items()}
    made = copy.deepcopy(first)
    made.name_for_extra, made.metadata, made.title = "0.5 x A + 0.5 x B", {"merged": "{}"}, "0.5 x A + 0.5 x B"
    module.sd_models.checkpoints_list[made.title] = made
    module.sd_models.load_model(made, already_loaded_state_dict=merged)
    job = studio.draw()
    assert not np.array_equal(pixels(job), before)
    module.sd_models.load_model(first)
    assert np.array_equal(pixels(studio.draw()), before)
    assert first.metadata != made.metadata
    del module.sd_models.checkpoints_list[made.title]
