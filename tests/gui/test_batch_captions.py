"""A folder of pictures gets a text file for each, as A1111's Batch tab writes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modules.gui.batch_captions import write_captions
from modules.terms.errors import BadRequest, NotFound, Refused
from tests.gui.stand_in import StandIn, gradient


@pytest.fixture
def studio(tmp_path: Path):
    studio = StandIn(tmp_path / "studio")
    yield studio
    studio.jobs.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    gradient(32, 16, 1, 1.0).save(folder / "a.png")
    gradient(16, 16, 2, 1.0).save(folder / "b.jpg")
    (folder / "b.txt").write_text("mine\n", encoding="utf-8")
    return folder


def test_words_are_added_to_the_files_beside_the_pictures(studio: StandIn, folder: Path) -> None:
    count, place = write_captions(studio, {"batch.source": "folder", "batch.folder": f" {folder} "}, "CLIP")
    assert (count, place) == (2, folder)
    assert (folder / "a.txt").read_text(encoding="utf-8") == "CLIP of 32x16\n"
    assert (folder / "b.txt").read_text(encoding="utf-8") == "mine\nCLIP of 16x16\n"


def test_they_go_into_the_output_folder_if_there_is_one(studio: StandIn, folder: Path, tmp_path: Path) -> None:
    values = {"batch.source": "folder", "batch.folder": str(folder), "batch.output_folder": str(tmp_path / "out" / "x")}
    assert write_captions(studio, values, "Deepbooru") == (2, tmp_path / "out" / "x")
    assert (tmp_path / "out" / "x" / "b.txt").read_text(encoding="utf-8") == "Deepbooru of 16x16\n"
    assert not (folder / "a.txt").exists()


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"batch.source": "upload", "batch.folder": "x"}, BadRequest),
        ({"batch.source": "folder", "batch.folder": ""}, BadRequest),
        ({"batch.source": "folder", "batch.folder": "/nowhere/at/all"}, NotFound),
    ],
)
def test_without_pictures_nothing_is_written(studio: StandIn, values: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        write_captions(studio, values, "CLIP")


def test_folders_of_the_machine_may_be_closed(studio: StandIn, folder: Path) -> None:
    studio.flags = replace(studio.flags, hide_ui_dir_config=True)
    with pytest.raises(Refused):
        write_captions(studio, {"batch.source": "folder", "batch.folder": str(folder)}, "CLIP")
