"""A file is whole or not there, and a name is given once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from modules.terms.atomic import creating, replacing


def test_replacing_leaves_the_new_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for content in ("one", "two"):
        with replacing(path) as draft:
            draft.write_text(content)
        assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("writing", [replacing, creating])
def test_a_failure_leaves_everything_as_it_was(tmp_path: Path, writing) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), writing(path) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_creating_refuses_a_name_that_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("first")
    with pytest.raises(FileExistsError), creating(path) as draft:
        draft.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_who_want_a_name_one_gets_it(tmp_path: Path) -> None:
    path, won = tmp_path / "a.txt", []

    def want(number: int) -> None:
        try:
            with creating(path) as draft:
                draft.write_text(str(number))
        except FileExistsError:
            return
        won.append(number)

    threads = [threading.Thread(target=want, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_text()] == [str(number) for number in won]


def test_it_works_without_hard_links(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links on this disk")

    monkeypatch.setattr("os.link", refuse)
    path = tmp_path / "a.txt"
    with creating(path) as draft:
        draft.write_text("one")
    with pytest.raises(FileExistsError), creating(path) as draft:
        draft.write_text("two")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]
