"""Dynamic prompts: what a template may become, by chance and altogether."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.variants import all_of, is_dynamic, one_of, read
from modules.prompt.wildcards import Wildcards

LINES = {"c": ("red", "3::blue", "{light|dark} green"), "loop": ("__loop__ x", "__loop2__"), "loop2": ("__loop__",)}


def every(text: str) -> list[str]:
    return list(itertools.islice(all_of(read(text), LINES.get, set()), 50))


def some(text: str, count: int = 200) -> list[str]:
    return [one_of(read(text), random.Random(number), LINES.get, set()) for number in range(count)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain (text:1.2) [a|b]", ["plain (text:1.2) [a|b]"]),
        ("a {b|c} d", ["a b d", "a c d"]),
        ("{a|b} {c|d}", ["a c", "a d", "b c", "b d"]),
        ("{a|{b|c}}", ["a", "b", "c"]),
        ("{2$$a|b|c}", ["a, b", "a, c", "b, c"]),
        ("{1-2$$ and $$a|b}", ["a", "b", "a and b"]),
        ("{-1$$a|b}", ["", "a", "b"]),
        ("{a|}", ["a", ""]),
        ("{[x|y]|<lora:z:1>}", ["[x|y]", "<lora:z:1>"]),
        (r"\{a|b\}", [r"\{a|b\}"]),
        ("a { b", ["a { b"]),
        ("__c__ cat", ["red cat", "blue cat", "light green cat", "dark green cat"]),
        ("{2$$__c__}", ["red, blue", "red, light green", "red, dark green", "blue, light green", "blue, dark green"]),
        ("__none__", ["__none__"]),
        ("a__b", ["a__b"]),
    ],
)
def test_all_that_a_template_stands_for(text: str, wanted: list[str]) -> None:
    assert every(text) == wanted
    assert set(some(text)) <= set(wanted) | {", ".join(reversed(one.split(", "))) for one in wanted} | {
        " and ".join(reversed(one.split(" and "))) for one in wanted
    }


def test_weights_say_how_often() -> None:
    drawn = some("{9::a|b}", 2000)
    assert 0.86 < drawn.count("a") / len(drawn) < 0.94
    assert set(some("{0::a|b}")) == {"b"}


def test_the_same_seed_gives_the_same_prompt() -> None:
    text = "{a|b|c} __c__ {2$$d|e|f}"
    assert some(text) == some(text)
    assert len(set(some(text))) > 10


def test_a_wildcard_within_itself_ends() -> None:
    missing: set[str] = set()
    assert one_of(read("__loop__"), random.Random(1), LINES.get, missing).count("__loop") == 1
    assert missing


def test_only_wildcards_where_braces_are_text() -> None:
    template = read("{a|b} __c__", choices=False)
    assert {one_of(template, random.Random(seed), LINES.get, set())[:5] for seed in range(20)} == {"{a|b}"}
    assert not is_dynamic(read("{a|b}", choices=False))


@given(st.text("ab{}|_$:2\\[] ", max_size=30))
def test_any_text_can_be_read(text: str) -> None:
    template = read(text)
    written = one_of(template, random.Random(0), LINES.get, set())
    if not is_dynamic(template):
        assert written == text


def test_wildcards_of_every_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "colours").mkdir()
    (tmp_path / "colours" / "warm.txt").write_text("# comment\nred\n\n orange \n", encoding="utf-8")
    (tmp_path / "colours" / "cold.txt").write_text("blue", encoding="utf-8")
    (tmp_path / "pack.yaml").write_text("animals:\n  cats: [lion, tiger]\n  dog: wolf\n", encoding="utf-8")
    (tmp_path / "flat.json").write_text('["one", "two"]', encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("a: [", encoding="utf-8")
    wildcards = Wildcards(tmp_path)
    assert wildcards.names == ["animals/cats", "animals/dog", "colours/cold", "colours/warm", "flat"]
    assert wildcards.lines("Colours/Warm") == ("red", "orange")
    assert wildcards.lines("colours/*") == ("blue", "red", "orange")
    assert wildcards.lines("animals/dog") == ("wolf",)
    assert wildcards.lines("flat") == ("one", "two")
    assert wildcards.lines("../secret") is None
    assert any("broken.yaml" in note for note in wildcards.notes)


def test_no_folder_is_no_wildcards(tmp_path: Path) -> None:
    assert Wildcards(tmp_path / "nothing").names == []
