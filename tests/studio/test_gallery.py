"""The library of pictures finds what is in the folders by what stands in the files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.metadata import png_chunks
from modules.studio.gallery.gallery import Gallery
from modules.studio.gallery.index import PictureIndex
from modules.studio.gallery.picture import Picture, described
from modules.studio.gallery.question import question
from modules.studio.gallery.scan import bring_up_to_date
from modules.terms.errors import BadRequest, NotFound, WebuiError

TEXT = (
    "{prompt}\nNegative prompt: blurry\nSteps: 20, Sampler: {sampler}, CFG scale: 7, Seed: {seed}, Size: 8x8, "
    "Model hash: 1234abcd, Model: {model}"
)


def save(path: Path, prompt: str = "a cat", seed: int = 1, sampler: str = "Euler a", model: str = "anything") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = TEXT.format(prompt=prompt, seed=seed, sampler=sampler, model=model)
    Image.new("RGB", (8, 8), "red").save(path, pnginfo=png_chunks({"parameters": text}))
    return path


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PictureIndex]:
    made = PictureIndex(tmp_path / "library.sqlite")
    yield made
    made.close()


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    save(folder / "a" / "1.png", "a black cat, <lora:fur:0.8>", 1)
    save(folder / "a" / "2.png", "a white dog at night", 22, sampler="DDIM")
    save(folder / "b" / "3.png", "ein schöner Hund", 3, model="dreamy mix")
    Image.new("RGB", (4, 4)).save(folder / "plain.jpg")
    (folder / "notes.txt").write_text("no picture")
    (folder / "broken.png").write_bytes(b"\x89PNG not really")
    return folder


def names(index: PictureIndex, text: str) -> set[str]:
    return {row.picture.path.name for row in index.search(text).rows}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"1.png", "2.png", "3.png", "plain.jpg", "broken.png"}),
        ("cat", {"1.png"}),
        ("ca", {"1.png"}),
        ('"ca"', set()),
        ("schoner", {"3.png"}),
        ("white dog", {"2.png"}),
        ('"dog white"', set()),
        ("blurry -cat", {"2.png", "3.png"}),
        ("lora:fur", {"1.png"}),
        ("model:dreamy", {"3.png"}),
        ('model:"dreamy mix"', {"3.png"}),
        ("-model:dreamy blurry", {"1.png", "2.png"}),
        ("model:1234", {"1.png", "2.png", "3.png"}),
        ("sampler:ddim", {"2.png"}),
        ("seed:22", {"2.png"}),
        ("seed:1-3", {"1.png", "3.png"}),
        ("seed:>2", {"2.png", "3.png"}),
        ("size:8x8", {"1.png", "2.png", "3.png"}),
        ("folder:/b", {"3.png"}),
        ("name:plain", {"plain.jpg"}),
        ("date:1999", set()),
        ("strange:word", set()),
    ],
)
def test_what_is_found(index: PictureIndex, outputs: Path, text: str, found: set[str]) -> None:
    bring_up_to_date(index, [outputs])
    assert names(index, text) == found
    assert index.count(text) == len(found)


@pytest.mark.parametrize("text", ["seed:x", "size:8", "date:yesterday", "is:nice"])
def test_a_wrong_value_is_named(index: PictureIndex, text: str) -> None:
    with pytest.raises(BadRequest, match=text.partition(":")[2]):
        index.search(text)


@given(st.text())
def test_no_text_breaks_the_search(text: str) -> None:
    try:
        asked = question(text)
    except BadRequest:
        return
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE texts USING fts5(prompt)")
    if asked.words:
        connection.execute("SELECT rowid FROM texts WHERE texts MATCH ?", (asked.words,)).fetchall()
    connection.close()


def test_only_what_changed_is_read_again(index: PictureIndex, outputs: Path) -> None:
    assert bring_up_to_date(index, [outputs]) == 5
    assert bring_up_to_date(index, [outputs]) == 0
    time.sleep(0.01)
    save(outputs / "a" / "1.png", "a tiger in the grass")
    (outputs / "a" / "2.png").unlink()
    assert bring_up_to_date(index, [outputs]) == 1
    assert names(index, "tiger") == {"1.png"}
    assert names(index, "cat") == names(index, "dog") == set()


def test_a_folder_that_went_is_forgotten_but_not_a_drive_that_is_away(index: PictureIndex, outputs: Path) -> None:
    import shutil

    away = outputs.parent / "drive"
    save(away / "x.png", "a whale")
    bring_up_to_date(index, [outputs, away])
    shutil.rmtree(outputs / "b")
    away.rename(away.with_name("unplugged"))
    bring_up_to_date(index, [outputs, away])
    assert names(index, "Hund") == set()
    assert names(index, "whale") == {"x.png"}
    bring_up_to_date(index, [outputs])
    assert names(index, "whale") == set()


def test_pages_hold_every_picture_once(index: PictureIndex) -> None:
    many = [Picture(Path(f"/x/{number}.png"), made=float(number // 3), stamp=(number, 1)) for number in range(50)]
    index.put(many)
    for order in ("newest", "oldest"):
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            page = index.search(order=order, after=after, limit=7)
            seen += [row.picture.path.name for row in page.rows]
            after = page.next
        assert sorted(seen) == sorted(one.path.name for one in many)
        moments = [int(Path(name).stem) // 3 for name in seen]
        assert moments == sorted(moments, reverse=order == "newest")


def test_what_is_put_comes_back(index: PictureIndex) -> None:
    text = TEXT.format(prompt="x <lora:a b:1>, 猫", seed=2**40, sampler="Euler", model="m")
    put = described(Picture(Path("/x/y.png"), 1.5, (3, 4), 8, 9), text)
    index.put([put, put])
    (row,) = index.search().rows
    assert row.picture == put
    assert put.seed == 2**40
    assert put.loras == ("a b",)


def test_marks_and_tags_outlive_the_index(index: PictureIndex, outputs: Path) -> None:
    bring_up_to_date(index, [outputs])
    path = (outputs / "a" / "1.png").resolve()
    index.favour(path, True)
    index.set_tags(path, ["best", " best ", "animals", ""])
    assert names(index, "is:favourite") == names(index, "tag:best") == {"1.png"}
    index.forget([path])
    bring_up_to_date(index, [outputs])
    (row,) = index.search("tag:animals").rows
    assert row.favourite
    assert row.tags == ("animals", "best")
    assert index.tags() == [("animals", 1), ("best", 1)]
    index.favour(path, False)
    assert names(index, "is:favourite") == set()


@pytest.fixture
def gallery(tmp_path: Path, outputs: Path) -> Iterator[Gallery]:
    made = Gallery(tmp_path, tmp_path / "cache", lambda: [outputs])
    made.start()
    wait(lambda: made.index.count() == 5)
    yield made
    made.close()


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def id_of(gallery: Gallery, text: str) -> int:
    (row,) = gallery.search(text).rows
    return row.id


def test_new_pictures_are_there_at_once(gallery: Gallery, outputs: Path, tmp_path: Path) -> None:
    gallery.added([save(outputs / "new.png", "a comet"), save(tmp_path / "elsewhere.png", "a comet")])
    assert names(gallery.index, "comet") == {"new.png"}


def test_thumbnails_are_small_and_made_once(gallery: Gallery, outputs: Path) -> None:
    Image.new("RGB", (900, 600), "blue").save(outputs / "large.png")
    gallery.added([outputs / "large.png"])
    path = gallery.thumbnail(id_of(gallery, "name:large"))
    first = path.stat().st_mtime_ns
    with Image.open(path) as small:
        assert small.size == (320, 213)
    assert gallery.thumbnail(id_of(gallery, "name:large")).stat().st_mtime_ns == first
    with pytest.raises(BadRequest, match="broken"):
        gallery.thumbnail(id_of(gallery, "name:broken"))


def test_deleted_pictures_come_back_as_they_were(gallery: Gallery, outputs: Path) -> None:
    path = outputs / "a" / "1.png"
    path.with_suffix(".txt").write_text("its text")
    before, id = path.read_bytes(), id_of(gallery, "cat")
    gallery.index.set_tags(path.resolve(), ["kept"])
    names_in_trash = gallery.delete([id])
    assert not path.exists()
    assert gallery.search("cat").rows == ()
    assert [row["name"] for row in gallery.trash.listed()] == names_in_trash
    gallery.refresh()
    assert gallery.restore(names_in_trash) == [path.resolve()]
    assert path.read_bytes() == before
    assert path.with_suffix(".txt").read_text() == "its text"
    assert gallery.search("tag:kept").rows[0].picture.path == path.resolve()
    assert gallery.trash.listed() == []


def test_nothing_is_overwritten_by_coming_back(gallery: Gallery, outputs: Path) -> None:
    (name,) = gallery.delete([id_of(gallery, "cat")])
    save(outputs / "a" / "1.png", "another cat")
    with pytest.raises(WebuiError, match=r"another file has that name"):
        gallery.restore([name])
    assert gallery.trash.empty() == 1
    assert gallery.trash.listed() == []


@pytest.mark.parametrize("name", ["../1.png", "a/b.png", "..\\x.png", "x.json", ""])
def test_names_in_the_trash_do_not_lead_out(gallery: Gallery, name: str) -> None:
    with pytest.raises(BadRequest):
        gallery.restore([name])


def test_only_pictures_in_our_folders_are_given_out(gallery: Gallery, tmp_path: Path) -> None:
    outside = save(tmp_path / "secret.png")
    gallery.index.put([Picture(outside, 1.0, (1, 1))])
    with pytest.raises(NotFound):
        gallery.file(id_of(gallery, "name:secret"))
