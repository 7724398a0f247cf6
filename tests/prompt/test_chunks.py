from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.attention import Segment, parse_attention
from modules.prompt.chunks import (
    LENGTH,
    SpecialTokens,
    VectorNames,
    bracket_factor,
    chunk,
    chunk_old,
    empty_chunk,
)

SPECIAL = SpecialTokens()


def tokenize(text: str) -> list[int]:
    """One token per word; a comma is its own, as in CLIP."""
    return [SPECIAL.comma if word == "," else int(word) for word in text.replace(",", " , ").split()]


@dataclass(frozen=True)
class Named:
    name: str
    vectors: int


def words(count: int, start: int = 1000) -> str:
    return " ".join(str(start + number) for number in range(count))


def inside(tokens) -> list[int]:
    """The tokens of a chunk without start, end and padding."""
    return [token for token in tokens if token not in (SPECIAL.start, SPECIAL.end)]


def test_nothing_is_one_empty_chunk():
    chunks = chunk((Segment(""),), tokenize)
    assert chunks.chunks == (empty_chunk(SPECIAL),)
    assert (chunks.count, chunks.limit) == (0, 75)
    assert empty_chunk(SPECIAL).tokens == (SPECIAL.start, *[SPECIAL.end] * 76)


@pytest.mark.parametrize(("count", "chunks", "limit"), [(1, 1, 75), (75, 1, 75), (76, 2, 150), (150, 2, 150)])
def test_seventy_five_fit(count, chunks, limit):
    found = chunk((Segment(words(count)),), tokenize)
    assert (len(found.chunks), found.count, found.limit) == (chunks, count, limit)


def test_weights_go_with_their_tokens():
    (found,) = chunk(parse_attention("1 (2 3:1.5) 4"), tokenize).chunks
    assert found.weights[:6] == (1.0, 1.0, 1.5, 1.5, 1.0, 1.0)
    assert len(found.weights) == 77


def test_what_follows_a_near_comma_moves_on():
    text = f"{words(60)}, {words(20, 2000)}"
    first, second = chunk((Segment(text),), tokenize).chunks
    assert inside(first.tokens) == tokenize(words(60) + ",")
    assert inside(second.tokens) == tokenize(words(20, 2000))
    assert chunk((Segment(text),), tokenize).count == LENGTH + 20


@pytest.mark.parametrize("backtrack", [0, 10])
def test_a_far_comma_moves_nothing(backtrack):
    text = f"{words(60)}, {words(20, 2000)}"
    first, _ = chunk((Segment(text),), tokenize, backtrack=backtrack).chunks
    assert len(inside(first.tokens)) == LENGTH


def test_break_ends_a_chunk():
    assert [inside(c.tokens) for c in chunk(parse_attention("1 BREAK 2"), tokenize).chunks] == [[1], [2]]
    assert [inside(c.tokens) for c in chunk(parse_attention("1 BREAK BREAK 2"), tokenize).chunks] == [[1], [], [2]]
    assert [inside(c.tokens) for c in chunk(parse_attention("1 BREAK"), tokenize).chunks] == [[1]]
    assert [inside(c.tokens) for c in chunk(parse_attention("BREAK 1"), tokenize).chunks] == [[], [1]]


def test_the_longest_name_wins_and_takes_the_place_of_its_tokens():
    names = VectorNames([Named("7", 1), Named("7 8", 3)], tokenize)
    (found,) = chunk((Segment("1 7 8 7 9", 1.5),), tokenize, names=names).chunks
    assert [(fix.offset, fix.inversion.vectors) for fix in found.fixes] == [(1, 3), (4, 1)]
    assert found.tokens[:8] == (SPECIAL.start, 1, 0, 0, 0, 0, 9, SPECIAL.end)
    assert found.weights[1:7] == (1.5,) * 6


def test_an_inversion_is_not_cut_by_the_end_of_a_chunk():
    names = VectorNames([Named("7", 3)], tokenize)
    first, second = chunk((Segment(words(73) + " 7"),), tokenize, names=names).chunks
    assert not first.fixes
    assert second.fixes[0].offset == 0


def test_an_inversion_longer_than_a_chunk_is_cut():
    names = VectorNames([Named("7", 100)], tokenize)
    found = chunk((Segment("7 7"),), tokenize, names=names)
    assert all(len(one.tokens) == 77 for one in found.chunks)
    assert sum(len(one.fixes) for one in found.chunks) == 2


def test_a_name_without_tokens_is_never_found():
    names = VectorNames([Named("", 3)], tokenize)
    assert names.find([1, 2], 0) is None


def test_open_clip_pads_with_another_token():
    (found,) = chunk((Segment("1 2"),), tokenize, SpecialTokens(pad=0)).chunks
    assert found.tokens == (SPECIAL.start, 1, 2, SPECIAL.end, *[0] * 73)


pieces = st.lists(
    st.tuples(st.sampled_from(["1", "2 3", ",", "4, 5", words(30), words(80), "BREAK"]), st.sampled_from([1.0, 1.2])),
    max_size=8,
)


@given(pieces, st.sampled_from([0, 5, 20, 75]))
def test_no_token_is_lost(segments, backtrack):
    segments = [Segment(text, -1.0 if text == "BREAK" else weight) for text, weight in segments]
    found = chunk(segments, tokenize, backtrack=backtrack)
    said = [(token, s.weight) for s in segments if not s.is_break for token in tokenize(s.text)]
    kept = [
        (token, weight)
        for one in found.chunks
        for token, weight in zip(one.tokens, one.weights, strict=True)
        if token not in (SPECIAL.start, SPECIAL.end)
    ]
    assert kept == said
    assert all(len(one.tokens) == len(one.weights) == 77 for one in found.chunks)
    assert found.count <= found.limit == LENGTH * max(1, -(-found.count // LENGTH))


def test_old_emphasis_weighs_by_tokens_of_brackets():
    factors = {8: bracket_factor("("), 9: bracket_factor(")</w>")}
    found = chunk_old("1 8 2 9 3", tokenize, factors.get)
    (row,) = found.chunks
    assert inside(row.tokens) == [1, 2, 3]
    assert row.weights[1:4] == pytest.approx((1.0, 1.1, 1.0))
    assert found.count == 3


def test_old_emphasis_cuts_off_what_is_too_long():
    found = chunk_old(words(80), tokenize, lambda token: None)
    assert found.count == 80
    assert [len(one.tokens) for one in found.chunks] == [77]


@pytest.mark.parametrize(
    ("text", "factor"), [("((", 1.21), ("[", 1 / 1.1), ("]", 1.1), ("red", None), ("()", None), ("],", 1.1)]
)
def test_bracket_factors(text, factor):
    assert bracket_factor(text) == (None if factor is None else pytest.approx(factor))
