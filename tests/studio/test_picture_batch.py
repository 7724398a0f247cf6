"""A batch of img2img as a job: files under the names they were made of, rows for the page, the request kept on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modules.studio.flag_table import Flags

pytest.importorskip("torch")
from modules.studio.job import Job
from modules.studio.studio import Studio
from modules.terms.extras import ExtrasPicture
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest, Mask

BASE = GenerationRequest(prompt="a house", steps=1, seed=3, width=64, height=64, denoising_strength=0.5)


@pytest.fixture(scope="module")
def studio(root: Path, tmp_path_factory: pytest.TempPathFactory):
    if not (root / "models/Stable-diffusion/atelier-mini.safetensors").is_file():
        pytest.skip("the built-in model is not here")
    studio = Studio(Flags(data_dir=tmp_path_factory.mktemp("studio"), models_dir=root / "models"))
    studio.jobs.start()
    yield studio
    studio.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "in"
    place.mkdir()
    for name in ("b [seed]", "a"):
        Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(place / f"{name}.png")
    return place


def finished(studio: Studio, batch: PictureBatch) -> Job:
    job = studio.jobs.wait(studio.submit(batch, "img2img").id, timeout=120)
    assert job.state == "done", job.error
    return job


def test_results_lie_in_the_folder_under_their_names(studio: Studio, folder: Path, tmp_path: Path) -> None:
    batch = PictureBatch(BASE, folder=str(folder), output_folder=str(tmp_path / "out"))
    job = finished(studio, batch)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b [seed].png"]
    rows = job.result["images"]
    assert len(rows) == 2
    for row in rows:
        # What a person's folder holds is not offered to browsers: the page shows copies.
        assert studio.flags.data_dir in Path(row["path"]).parents
        assert Path(row["path"]).is_file()
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert image.info["parameters"] == rows[0]["infotext"]
    again = finished(studio, batch.with_(request=BASE.with_(n_iter=2)))
    names = {path.name for path in (tmp_path / "out").iterdir()} - {"a.png", "b [seed].png"}
    assert names == {"a-1.png", "a-2.png", "b [seed]-1.png", "b [seed]-2.png"}
    assert len(again.result["seeds"]) == 4


def test_without_a_folder_they_are_saved_as_all_pictures(studio: Studio) -> None:
    picture = ExtrasPicture(Image.new("RGB", (64, 64), "red"), "red")
    settings = {"img2img_batch_show_results_limit": 1}
    batch = PictureBatch(BASE.with_(settings=settings), pictures=(picture, picture), mask=Mask(Image.new("L", (1, 1))))
    job = finished(studio, batch)
    saved = [path for path in job.files if path.suffix == ".png"]
    assert len(saved) == 2
    assert all("img2img-images" in path.parts for path in saved)
    assert len(job.result["images"]) == 1
    assert any("1 more" in note for note in job.result["notes"])
    assert (job.request.request, job.request.source) == (batch.request, batch.source)
    assert [one.name for one in job.request.pictures] == ["red", "red"]
