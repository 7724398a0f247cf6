"""What the gallery is given of a finished job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from modules.gui.request import to_request
from modules.gui.run import Runs
from tests.gui.stand_in import StandIn


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[StandIn]:
    studio = StandIn(tmp_path / "studio")
    yield studio
    studio.jobs.close()


@pytest.fixture
def finished(studio: StandIn) -> str:
    job_id = Runs(studio, "txt2img", to_request).submit({"prompt": "a boat", "n_iter": 2, "steps": 1})
    studio.jobs.wait(job_id, 10)
    return job_id


def test_the_gallery_gets_the_files_and_the_script_the_texts(studio: StandIn, finished: str) -> None:
    gallery, told = Runs(studio, "txt2img", to_request).result(finished)
    paths = (
        [Path(entry.image.path) for entry in gallery.value.root] if hasattr(gallery.value, "root") else gallery.value
    )
    assert len(paths) == 2
    outcome = json.loads(told)
    assert [image["infotext"].split("\n")[0] for image in outcome["images"]] == ["a boat", "a boat"]
    assert outcome["seconds"] >= 0
    assert "path" not in outcome["images"][0]


def test_pictures_that_were_deleted_are_counted(studio: StandIn, finished: str) -> None:
    min(studio.outputs.root.iterdir()).unlink()
    _, told = Runs(studio, "txt2img", to_request).result(finished)
    outcome = json.loads(told)
    assert len(outcome["images"]) == 1
    assert outcome["gone"] == "1 of its pictures are no longer where they were saved."
    assert [image["number"] for image in outcome["images"]] == [1]


def test_a_gallery_that_is_not_wanted_stays_empty(studio: StandIn, finished: str) -> None:
    studio.set_options({"do_not_show_images": True})
    _, told = Runs(studio, "txt2img", to_request).result(finished)
    assert json.loads(told)["images"] == []


@pytest.mark.parametrize("job_id", ["", "no such job"])
def test_a_job_without_a_result_is_told(studio: StandIn, job_id: str) -> None:
    with pytest.raises(gr.Error, match="no result any more"):
        Runs(studio, "txt2img", to_request).result(job_id)


def test_what_is_told_cannot_be_html(studio: StandIn) -> None:
    studio.refused = "<img src=x onerror=alert(1)>"
    with pytest.raises(gr.Error) as refused:
        Runs(studio, "txt2img", to_request).submit({"prompt": "a boat"})
    assert "<" not in refused.value.message
