"""Files that come and go are noticed, and folders in which nothing happened are not listed again."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modules.networks import folders
from modules.networks.files import read_metadata
from modules.networks.folders import ModelFiles
from modules.networks.index import MetadataIndex


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def settle(folder: Path) -> None:
    """The folder and those below were last changed long ago."""
    for here in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        os.utime(here, (1, 1))


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "REST", 0)


def names(files: ModelFiles) -> list[str]:
    return [file.path.name for file in files.look()]


@pytest.mark.usefixtures("no_rest")
def test_what_comes_and_goes_is_noticed(tmp_path: Path) -> None:
    put(tmp_path / "deep" / "er" / "b.PT")
    files = ModelFiles([tmp_path], (".pt",))
    assert names(files) == ["b.PT"]
    put(tmp_path / "a.pt")
    put(tmp_path / "new" / "c.pt")
    put(tmp_path / "new" / "c.txt")
    assert names(files) == ["a.pt", "b.PT", "c.pt"]
    (tmp_path / "new" / "c.pt").unlink()
    (tmp_path / "a.pt").rename(tmp_path / "new" / "d.pt")
    assert names(files) == ["b.PT", "d.pt"]


@pytest.mark.usefixtures("no_rest")
def test_only_folders_that_changed_are_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        put(tmp_path / str(number) / "a.pt")
    settle(tmp_path)
    files = ModelFiles([tmp_path], (".pt",))
    first = files.look()
    listed: list[Path] = []
    scandir = os.scandir

    def noting(path: Path) -> Any:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noting)
    assert files.look() is first
    assert not listed
    put(tmp_path / "1" / "b.pt")
    assert len(files.look()) == 4
    assert listed == [tmp_path / "1"]


@pytest.mark.usefixtures("no_rest")
def test_a_file_that_came_in_the_same_tick_of_the_clock_is_found(tmp_path: Path) -> None:
    """File systems count time in steps: a folder that changed just now may change again without showing it."""
    now = time.time()
    files = ModelFiles([tmp_path], (".pt",))
    put(tmp_path / "a.pt")
    os.utime(tmp_path, (now, now))
    assert names(files) == ["a.pt"]
    put(tmp_path / "b.pt")
    os.utime(tmp_path, (now, now))
    assert names(files) == ["a.pt", "b.pt"]


@pytest.mark.usefixtures("no_rest")
def test_a_file_that_was_overwritten_is_found_by_looking_afresh(tmp_path: Path) -> None:
    path = put(tmp_path / "a.pt")
    settle(tmp_path)
    files = ModelFiles([tmp_path], (".pt",))
    before = files.look()
    path.write_bytes(b"other")
    os.utime(tmp_path, (1, 1))
    assert files.look() is before
    assert files.look(afresh=True)[0].stamp[1] == 5


@pytest.mark.usefixtures("no_rest")
def test_hidden_folders_are_entered_if_wanted(tmp_path: Path) -> None:
    put(tmp_path / ".hidden" / "a.pt")
    put(tmp_path / "b.pt")
    shown = True
    files = ModelFiles([tmp_path], (".pt",), list_hidden=lambda: shown)
    assert names(files) == ["b.pt", "a.pt"]
    shown = False
    assert names(files) == ["b.pt"]


def test_loops_dead_links_and_missing_folders_do_no_harm(tmp_path: Path) -> None:
    put(tmp_path / "a.pt")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dead.pt").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder.pt").mkdir()
    assert names(ModelFiles([tmp_path, tmp_path, tmp_path / "missing"], (".pt",))) == ["a.pt"]


def test_headers_are_read_once_and_again_when_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(name: str, alias: str) -> None:
        header = f'{{"__metadata__":{{"ss_output_name":"{alias}","ss_base_model_version":"sdxl_base_v1-0"}}}}'.encode()
        put(tmp_path / name, len(header).to_bytes(8, "little") + header)

    save("a.safetensors", "one")
    save("b.safetensors", "two")
    read: list[Path] = []

    def noting(path: Path) -> Mapping[str, str]:
        read.append(path)
        return read_metadata(path)

    monkeypatch.setattr("modules.networks.index.read_metadata", noting)
    database = tmp_path / "cache" / "models.sqlite"
    files = ModelFiles([tmp_path], (".safetensors",))
    index = MetadataIndex(database)
    assert [index.said(file).alias for file in files.look()] == ["one", "two"]
    index.close()
    index = MetadataIndex(database)
    assert [index.metadata(file)["ss_output_name"] for file in files.look()] == ["one", "two"]
    assert index.said(files.look()[0]).base == "sdxl_base_v1-0"
    assert len(read) == 2
    save("a.safetensors", "renamed")
    again = files.look(afresh=True)
    assert index.read(again) == 1
    assert [metadata["ss_output_name"] for metadata in index.all_metadata(again).values()] == ["renamed", "two"]
    assert len(read) == 3
