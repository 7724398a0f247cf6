from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.attention import MAX_DEPTH, Segment, parse_attention
from tests.prompt.strategies import ENDLESS, prompts


def rounded(text: str) -> list[tuple[str, float]]:
    return [(segment.text, round(segment.weight, 4)) for segment in parse_attention(text)]


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("(word)", [("word", 1.1)]),
        ("((word))", [("word", 1.21)]),
        ("(word:1.3)", [("word", 1.3)]),
        ("((word:1.3))", [("word", 1.43)]),
        ("[word]", [("word", 0.9091)]),
        ("[[word]]", [("word", 0.8264)]),
        ("(a [b] c)", [("a ", 1.1), ("b", 1.0), (" c", 1.1)]),
        ("(a: 1.5 )", [("a", 1.5)]),
        ("( a :1.5)", [(" a ", 1.5)]),
        ("(a:-1)", [("a", -1)]),
        ("(a:.5)", [("a", 0.5)]),
        ("(a:1.)", [("a", 1.0)]),
        ("(a:0)", [("a", 0.0)]),
        ("(a:+1.2)", [("a", 1.2)]),
        ("(a:1.5:2)", [("a:1.5", 2.0)]),
        ("((a:1.2):1.2)", [("a", 1.44)]),
        ("(a)(b)", [("ab", 1.1)]),
        ("(a\nb:1.2)", [("a\nb", 1.2)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55)]
            + [(", sun, ", 1.1), ("sky", 1.4641), (".", 1.1)],
        ),
    ],
)
def test_brackets_weigh(text, segments):
    assert rounded(text) == segments


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("(a:1.5", [("a:1.5", 1.1)]),
        ("(((a)", [("a", 1.331)]),
        ("[a", [("a", 0.9091)]),
        ("a)", [("a)", 1.0)]),
        ("a]", [("a]", 1.0)]),
        ("a:1.5)", [("a:1.5)", 1.0)]),
        ("[a:1.5]", [("a:1.5", 0.9091)]),
        ("(a:)", [("a:", 1.1)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(a:1e3)", [("a:1e3", 1.1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:.)", [("a:.", 1.1)]),
        (f"(a:{'9' * 400})", [(f"a:{'9' * 400}", 1.1)]),
        ("{a}", [("{a}", 1.0)]),
        ("()", [("", 1.0)]),
        ("(:1.5)", [("", 1.0)]),
        ("", [("", 1.0)]),
        ("(a]b", [("a]b", 1.1)]),
    ],
)
def test_what_is_malformed_has_a_meaning(text, segments):
    # "(:1.5)" multiplies nothing, so what is left is the empty prompt.
    assert rounded(text) == segments


@pytest.mark.parametrize(
    ("text", "plain"),
    [(r"\(a\)", "(a)"), (r"\[a\]", "[a]"), ("a\\b", "ab"), ("a\\", "a"), (r"\(a:1.5\)", "(a:1.5)"), (r"\\", "\\")],
)
def test_backslashes_make_text(text, plain):
    assert parse_attention(text) == (Segment(plain),)


def test_an_escaped_backslash_does_not_escape_a_bracket():
    assert rounded(r"\\(a)") == [("\\", 1.0), ("a", 1.1)]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("a BREAK b", ["a", "BREAK", "b"]),
        ("a,\n BREAK , b", ["a,", "BREAK", ", b"]),
        ("a BREAK BREAK b", ["a", "BREAK", "", "BREAK", "b"]),
        ("BREAK a", ["", "BREAK", "a"]),
        ("aBREAKb", ["aBREAKb"]),
        ("BREAKFAST", ["BREAKFAST"]),
        ("break", ["break"]),
    ],
)
def test_break(text, texts):
    segments = parse_attention(text)
    assert [segment.text for segment in segments] == texts
    assert all(segment.is_break == (segment.text == "BREAK") for segment in segments)


def test_break_in_brackets_is_a_word():
    assert rounded("(a BREAK b:1.2)") == [("a", 1.2), ("BREAK", -1.2), ("b", 1.2)]
    assert not any(segment.is_break for segment in parse_attention("(a BREAK b)"))


@given(prompts)
def test_every_prompt_has_segments(text):
    segments = parse_attention(text)
    assert segments
    assert all(math.isfinite(segment.weight) for segment in segments)
    assert all(left.weight != right.weight for left, right in zip(segments, segments[1:], strict=False))


@given(st.text(alphabet=st.characters(exclude_characters="\\()[]"), max_size=60).filter(lambda t: "BREAK" not in t))
def test_text_without_brackets_is_kept(text):
    assert parse_attention(text) == (Segment(text),)


@given(st.floats(0, 3).map(lambda w: round(w, 3)), st.floats(0, 3).map(lambda w: round(w, 3)))
def test_nested_weights_multiply(inner, outer):
    segments = parse_attention(f"((a:{inner}):{outer})")
    assert segments == (Segment("a", inner * outer),)


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:8])
def test_long_nonsense_has_segments(text):
    assert parse_attention(text)


def test_depth_is_bounded():
    (deepest,) = parse_attention("(" * 10_000 + "a")
    assert deepest.weight == pytest.approx(1.1**MAX_DEPTH)
