"""The folder button: which folder, and for whom."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from modules.gui.open_folder import folder_of, opened
from modules.terms.errors import Refused
from modules.terms.request import GenerationRequest
from tests.gui.stand_in import StandIn


@pytest.fixture
def studio(shared_studio: StandIn) -> StandIn:
    shared_studio.reset()
    return shared_studio


@pytest.mark.parametrize("asker", ["127.0.0.1", "::1"])
def test_whoever_sits_at_the_machine_sees_the_folder(studio: StandIn, asker: str) -> None:
    seen: list[Path] = []
    sentence = opened(studio, "txt2img", "", asker, seen.append)
    assert seen == [studio.folder / "outputs/txt2img-images"]
    assert seen[0].is_dir()
    assert str(seen[0]) in sentence


@pytest.mark.parametrize("asker", ["192.168.1.5", "fe80::1%eth0", "", "localhost"])
def test_nobody_else_does(studio: StandIn, asker: str) -> None:
    with pytest.raises(Refused):
        opened(studio, "txt2img", "", asker, lambda folder: pytest.fail("it was opened"))


def test_folders_that_are_hidden_stay_so(studio: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "flags", dataclasses.replace(studio.flags, hide_ui_dir_config=True))
    with pytest.raises(Refused):
        opened(studio, "txt2img", "", "127.0.0.1", lambda folder: pytest.fail("it was opened"))


def test_the_folder_of_the_chosen_picture_within_the_tabs(studio: StandIn) -> None:
    job = studio.submit(GenerationRequest(steps=1, width=64, height=64))
    studio.jobs.wait(job.id, 10)
    choice = json.dumps({"id": job.id, "index": 0})
    root = studio.folder / "outputs/txt2img-images"
    # The stand-in saves beside the tab's folder.
    assert folder_of(studio, "txt2img", choice) == root
    studio.set_options({"open_dir_button_choice": "Subdirectory (even temp dir)"})
    assert folder_of(studio, "txt2img", choice) == studio.outputs.root
    studio.set_options({"open_dir_button_choice": "Subdirectory", "outdir_txt2img_samples": "outputs"})
    assert folder_of(studio, "txt2img", choice) == studio.outputs.root
    studio.set_options({"open_dir_button_choice": "Output Root"})
    assert folder_of(studio, "txt2img", choice) == root.parent
