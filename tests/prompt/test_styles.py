from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.styles import Style, StyleBook


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_a_style_goes_around_or_after_the_prompt():
    book = StyleBook((Style("around", "photo of {prompt}, {prompt}", "bad"), Style("after", "sharp", "")))
    assert book.apply("a cat", "", ["around"]) == ("photo of a cat, a cat", "bad")
    assert book.apply(" a cat ", "dog", ["after"]) == ("a cat, sharp", "dog")
    assert book.apply("a cat", "", ["after", "around", "unknown"]) == ("photo of a cat, sharp, a cat, sharp", "bad")


def test_files_of_a1111_are_read(tmp_path):
    file = written(
        tmp_path / "styles.csv",
        '\ufeffname,prompt,negative_prompt\r\n#remark,a,b\r\ncat, "a ""cat"", {prompt}",dog\r\nshort,x\r\n\r\n',
    )
    book = StyleBook.load([file])
    assert [(s.name, s.prompt, s.negative_prompt) for s in book.styles] == [
        ("cat", 'a "cat", {prompt}', "dog"),
        ("short", "x", ""),
    ]


def test_the_first_versions_called_the_column_text(tmp_path):
    book = StyleBook.load([written(tmp_path / "styles.csv", "name,text\ncat,a cat\n")])
    assert book.find("cat") == Style("cat", "a cat", "", tmp_path / "styles.csv")


def test_several_files_are_divided(tmp_path):
    written(tmp_path / "a.csv", "name,prompt,negative_prompt\none,1,\n")
    written(tmp_path / "b.csv", "name,prompt,negative_prompt\ntwo,2,\n")
    book = StyleBook.load([tmp_path / "*.csv"])
    assert [style.name for style in book.styles] == [f"{' A ':-^40}", "one", f"{' B ':-^40}", "two"]
    assert book.default_path == tmp_path / "a.csv"
    assert book.apply("x", "", [f"{' A ':-^40}"]) == ("x", "")


def test_a_pattern_without_files_has_a_default(tmp_path):
    assert StyleBook.load([tmp_path / "s*.csv"]).default_path == tmp_path / "styles.csv"
    assert StyleBook.load([tmp_path / "mine.csv"]).styles == ()


def test_saving_writes_each_style_to_its_file(tmp_path):
    first = written(tmp_path / "a.csv", "name,prompt,negative_prompt\none,1,\n")
    second = written(tmp_path / "b.csv", "name,prompt,negative_prompt\ntwo,2,\n")
    book = StyleBook.load([first, second])
    book = book.with_style(Style("two", "zwei", "drei")).with_style(Style("new", 'a,"b"\nc', "")).without("one")
    book.save()
    again = StyleBook.load([first, second])
    assert [(s.name, s.path) for s in again.styles if not s.divider] == [("new", first), ("two", second)]
    assert again.find("two") == Style("two", "zwei", "drei", second)
    assert (tmp_path / "a.csv.bak").read_text() == "name,prompt,negative_prompt\none,1,\n"
    assert first.read_bytes().startswith(b"\xef\xbb\xbfname,prompt,negative_prompt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.csv.bak", "b.csv", "b.csv.bak"]


def test_a_deleted_style_stays_deleted(tmp_path):
    file = written(tmp_path / "styles.csv", "name,prompt,negative_prompt\none,1,\n")
    StyleBook.load([file]).without("one").save()
    assert StyleBook.load([file]).styles == ()


def test_a_file_that_cannot_be_read_is_a_note_and_left_alone(tmp_path):
    file = written(tmp_path / "styles.csv", "name,prompt\n狗,一只狗\n", "gbk")
    before = file.read_bytes()
    book = StyleBook.load([file])
    assert book.styles == ()
    assert "styles.csv" in book.notes[0]
    book.save()
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("prompt", "negative", "found"),
    [
        ("1girl, art by greg, masterpiece", "", (("quality",), "1girl, art by greg", "")),
        ("photo of a cat, sharp", "blurry", (("photo",), "a cat", "")),
        ("photo of a cat, sharp", "", ((), "photo of a cat, sharp", "")),
        ("photo of a cat, masterpiece, sharp", "blurry", (("quality", "photo"), "a cat", "")),
        ("masterpiece", "x", (("quality",), "", "x")),
    ],
)
def test_styles_are_found_in_prompts(prompt, negative, found):
    book = StyleBook(
        (Style("quality", "masterpiece"), Style("photo", "photo of {prompt}, sharp", "blurry"), Style("empty"))
    )
    assert book.extract(prompt, negative) == found


words = st.text("abc ,", min_size=1, max_size=12).map(lambda text: text.strip(" ,")).filter(bool)
style_texts = st.tuples(st.sampled_from(["X{prompt}Y", "{prompt}, Z", "Z", "W, V", ""]), st.sampled_from(["", "N"]))


@given(words, words, st.lists(style_texts, max_size=3))
def test_what_was_applied_is_found(prompt, negative, given_styles):
    book = StyleBook(tuple(Style(str(number), *texts) for number, texts in enumerate(given_styles)))
    styled = book.apply(prompt, negative, [style.name for style in book.styles])
    # Which of two that look alike is found may differ, but putting back what was found gives the same prompts.
    found, left, left_negative = book.extract(*styled)
    assert book.apply(left, left_negative, found) == styled
    assert len(found) == sum(any(texts) for texts in given_styles)


def test_what_is_written_is_plain_csv(tmp_path):
    book = StyleBook((Style("a", "x, y", "z"),), tmp_path / "new" / "styles.csv")
    book.save()
    with book.default_path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [["name", "prompt", "negative_prompt"], ["a", "x, y", "z"]]
