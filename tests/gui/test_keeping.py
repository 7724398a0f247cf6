"""Drafts and presets on the disk: they come back with their pictures, stay within bounds and do no harm."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from modules.gui.drafts import BROWSERS, FORGOTTEN_S, Drafts, new_browser
from modules.gui.presets import Presets
from modules.terms.errors import BadRequest, NotFound


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def drafts(tmp_path: Path, uploads: Path) -> Drafts:
    return Drafts(tmp_path / "drafts", uploads)


def uploaded(uploads: Path, name: str, content: bytes = b"pixels") -> dict:
    path = uploads / "a1b2" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def draft(saved: float = 1.0, **values: object) -> dict:
    return {"saved": saved, "values": values}


def test_a_draft_comes_back_to_its_browser_alone(drafts: Drafts) -> None:
    mine, other = new_browser(), new_browser()
    drafts.write(mine, "txt2img", draft(prompt="a 红 house", steps=7))
    drafts.write(mine, "img2img", draft(prompt="b"))
    assert {tab: one["values"] for tab, one in drafts.read(mine).items()} == {
        "txt2img": {"prompt": "a 红 house", "steps": 7},
        "img2img": {"prompt": "b"},
    }
    assert drafts.read(other) == {}


def test_an_older_page_does_not_write_over_a_younger_draft(drafts: Drafts) -> None:
    browser = new_browser()
    drafts.write(browser, "txt2img", draft(20.0, prompt="new"))
    drafts.write(browser, "txt2img", draft(10.0, prompt="old"))
    assert drafts.read(browser)["txt2img"]["values"] == {"prompt": "new"}


def test_a_mask_outlives_the_folder_for_temporary_files(drafts: Drafts, uploads: Path) -> None:
    browser, mask = new_browser(), uploaded(uploads, "mask.png")
    drafts.write(browser, "img2img", draft(inpaint={"image": None, "paint": mask}))
    Path(mask["path"]).unlink()
    drafts.read(browser)
    assert Path(mask["path"]).read_bytes() == b"pixels"


def test_pictures_that_no_draft_names_any_more_go(drafts: Drafts, uploads: Path, tmp_path: Path) -> None:
    browser = new_browser()
    drafts.write(browser, "img2img", draft(1.0, image=uploaded(uploads, "one.png")))
    drafts.write(browser, "extras", draft(1.0, image=uploaded(uploads, "two.png")))
    drafts.write(browser, "img2img", draft(2.0, image=None))
    assert [path.name for path in (tmp_path / "drafts").rglob("*.png")] == ["two.png"]


def test_files_outside_the_uploads_are_not_touched(drafts: Drafts, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("key")
    traversing = str(tmp_path / "uploads" / ".." / "secret.txt")
    drafts.write(new_browser(), "img2img", draft(image={"path": str(secret)}, other={"path": traversing}))
    assert list((tmp_path / "drafts").rglob("secret*")) == []


@pytest.mark.parametrize("browser", ["../x", "", "A" * 32, "0" * 31])
def test_only_names_that_we_gave_are_browsers(drafts: Drafts, browser: str) -> None:
    with pytest.raises(BadRequest):
        drafts.write(browser, "txt2img", draft())
    assert drafts.read(browser) == {}


@pytest.mark.parametrize(
    ("tab", "given"), [("../x", draft()), ("txt2img", {"values": {}}), ("txt2img", draft(p="x" * (3 << 20)))]
)
def test_what_is_no_draft_is_refused(drafts: Drafts, tab: str, given: dict) -> None:
    with pytest.raises(BadRequest):
        drafts.write(new_browser(), tab, given)


def test_browsers_that_stay_away_are_forgotten(drafts: Drafts, tmp_path: Path) -> None:
    gone, here = new_browser(), new_browser()
    for browser in (gone, here):
        drafts.write(browser, "txt2img", draft())
    long_ago = time.time() - FORGOTTEN_S - 60
    os.utime(tmp_path / "drafts" / gone, (long_ago, long_ago))
    for _ in range(BROWSERS + 3):
        drafts.write(new_browser(), "txt2img", draft())
    assert drafts.read(gone) == {}
    assert len(list((tmp_path / "drafts").iterdir())) <= BROWSERS


def test_presets_have_names_and_keep_their_pictures(tmp_path: Path, uploads: Path) -> None:
    presets = Presets(tmp_path / "presets", uploads)
    picture = uploaded(uploads, "pose.png")
    presets.save("txt2img", "Portrait (tall)", {"prompt": "x", "controls": [{"image": picture}]})
    presets.save("txt2img", "人像", {"prompt": "y"})
    assert presets.names("txt2img") == ["Portrait (tall)", "人像"]
    assert presets.names("img2img") == []
    Path(picture["path"]).unlink()
    assert presets.load("txt2img", "Portrait (tall)")["prompt"] == "x"
    assert Path(picture["path"]).is_file()
    presets.delete("txt2img", "Portrait (tall)")
    assert presets.names("txt2img") == ["人像"]
    with pytest.raises(NotFound, match="人像"):
        presets.load("txt2img", "Portrait (tall)")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a\\b", ".hidden", "con", "NUL.txt", "ends.", "x" * 81, "a:b"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, uploads: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be the name"):
        Presets(tmp_path, uploads).save("txt2img", name, {})
