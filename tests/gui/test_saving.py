"""The Save button keeps the pictures and a line about the first, the Zip button a zip of them."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from modules.gui.saving import COLUMNS, append_log, save_from_gallery
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest
from tests.gui.stand_in import StandIn

PROMPT = 'a "red" house, lake'


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[StandIn]:
    studio = StandIn(tmp_path / "data")
    yield studio
    studio.jobs.close()


@pytest.fixture
def choice(studio: StandIn) -> str:
    request = GenerationRequest(prompt=PROMPT, negative_prompt="fog", steps=2, n_iter=3, width=64, height=64, seed=20)
    job = studio.submit(request)
    studio.jobs.wait(job.id, 10)
    return json.dumps({"id": job.id, "index": 1})


def log(studio: StandIn) -> list[dict[str, str]]:
    with (studio.folder / "log" / "images" / "log.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_chosen_picture_is_kept_with_its_text(studio: StandIn, choice: str) -> None:
    (path,), sentence = save_from_gallery(studio, choice, as_zip=False)
    assert path.parent == studio.folder / "log" / "images"
    saved = Image.open(path)
    assert saved.info["parameters"].startswith(PROMPT)
    assert "Seed: 21" in saved.info["parameters"]
    assert str(path.parent) in sentence
    (row,) = log(studio)
    assert (row["prompt"], row["seed"], row["filename"]) == (PROMPT, "21", path.name)
    assert (row["sampler"], row["steps"], row["negative_prompt"]) == ("Euler", "2", "fog")
    assert (row["sd_model_name"], row["sd_model_hash"]) == ("atelier-mini", "0123456789")


def test_all_are_kept_if_the_settings_say_so(studio: StandIn, choice: str) -> None:
    studio.set_options({"save_selected_only": False, "save_write_log_csv": False})
    paths, _ = save_from_gallery(studio, choice, as_zip=False)
    texts = [Image.open(path).info["parameters"] for path in paths]
    assert [text.split("Seed: ")[1].split(",")[0] for text in texts] == ["20", "21", "22"]
    assert not (studio.folder / "log" / "images" / "log.csv").exists()


def test_a_zip_holds_the_pictures_and_their_texts(studio: StandIn, choice: str) -> None:
    studio.set_options({"save_selected_only": False, "save_txt": True})
    (path,), _ = save_from_gallery(studio, choice, as_zip=True)
    assert path.suffix == ".zip"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert sum(name.endswith(".png") for name in names) == sum(name.endswith(".txt") for name in names) == 3
        assert "atelier-mini" in path.name


def test_nothing_to_save_is_said(studio: StandIn, choice: str) -> None:
    for wrong in ("", "{}", '{"id": "no-such-job", "index": 0}'):
        with pytest.raises(BadRequest, match="no picture to save"):
            save_from_gallery(studio, wrong, as_zip=False)


def test_an_older_log_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("prompt,seed\nold one,5\n", encoding="utf-8")
    append_log(path, ["new", *map(str, range(1, len(COLUMNS)))])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(COLUMNS)
    assert rows[1] == ["old one", "5", *[""] * (len(COLUMNS) - 2)]
    assert rows[2][0] == "new"
    assert {len(row) for row in rows} == {len(COLUMNS)}
