"""Tags are found by any beginning, the frequent ones first, as looking through all of them would."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.tags import Tag, TagIndex, folded, read_tags

LIST = """long_hair,0,5000,"longhair,长发"
long_sleeves,0,3000
blonde_hair,0,4000
hair_ribbon,0,900,ribbon_in_hair
ganyu_(genshin_impact),4,700,"cocogoat,甘雨(原神)"
^_^,0,100
long,0,10
"""


@pytest.fixture
def index(tmp_path: Path) -> TagIndex:
    path = tmp_path / "tags.csv"
    path.write_text(LIST, encoding="utf-8")
    return TagIndex(read_tags(path))


def names(tags: list[Tag]) -> list[str]:
    return [tag.name for tag in tags]


def test_what_is_called_so_comes_first_then_beginnings_by_frequency(index: TagIndex) -> None:
    assert names(index.search("long")) == ["long", "long_hair", "long_sleeves"]


def test_words_inside_come_after_beginnings(index: TagIndex) -> None:
    assert names(index.search("hair")) == ["hair_ribbon", "long_hair", "blonde_hair"]


def test_blanks_and_case_do_not_matter(index: TagIndex) -> None:
    assert names(index.search("LONG hair")) == ["long_hair"]


def test_an_alias_is_told(index: TagIndex) -> None:
    assert index.search("cocog") == [Tag("ganyu_(genshin_impact)", 4, 700, "cocogoat")]
    assert index.search("原神") == [Tag("ganyu_(genshin_impact)", 4, 700, "甘雨(原神)")]
    assert index.search("longha") == [Tag("long_hair", 0, 5000, "longhair")]


def test_a_word_after_a_bracket_is_found(index: TagIndex) -> None:
    assert names(index.search("genshin")) == ["ganyu_(genshin_impact)"]


def test_of_two_lists_the_first_counts() -> None:
    found = TagIndex([(Tag("a_b", 1, 5), ()), (Tag("a_b", 2, 50), ())]).search("a_b")
    assert found == [Tag("a_b", 1, 5)]


def test_nothing_is_found_in_nothing(index: TagIndex) -> None:
    assert TagIndex().search("long") == [] == index.search(" ") == index.search("long", 0)


WORDS = st.text(st.sampled_from("abİß_-(长"), min_size=1, max_size=6)


@given(st.dictionaries(WORDS, st.tuples(st.integers(0, 9), st.lists(WORDS, max_size=2)), max_size=12), WORDS)
def test_no_beginning_is_missed(rows: dict[str, tuple[int, list[str]]], wanted: str) -> None:
    index = TagIndex((Tag(name, 0, count), aliases) for name, (count, aliases) in rows.items())
    low = folded(wanted)
    expected = {
        name for name, (_, aliases) in rows.items() if any(folded(one).startswith(low) for one in (name, *aliases))
    }
    found = index.search(wanted, 100)
    assert expected <= set(names(found))
    for tag in found:
        assert low in folded(tag.alias or tag.name)
    begins = [tag.count for tag in found if tag.name in expected and folded(tag.name) != low]
    assert begins == sorted(begins, reverse=True)
