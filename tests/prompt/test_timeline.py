from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.timeline import Entry, timeline
from tests.prompt.strategies import ENDLESS, prompts


def said(text: str, steps: int = 10, **kind: object) -> str:
    """The timeline on one line: `until:text` for each entry."""
    return " ".join(f"{until}:{now}" for until, now in timeline(text, steps, **kind))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a:b:5]", "5:a 10:b"),
        ("[a:b:0.5]", "5:a 10:b"),
        ("[a:b:.5]", "5:a 10:b"),
        ("[b:5]", "5: 10:b"),
        ("[b::5]", "5:b 10:"),
        ("[a:b:1]", "1:a 10:b"),
        ("[a:b:1.0]", "10:a"),
        ("[a:b:5.0]", "10:a"),
        ("[a:b:0]", "10:b"),
        ("[a:b:0.0]", "10:b"),
        ("[a:b:-1]", "10:b"),
        ("[a:b:20]", "10:a"),
        ("[a:b:0.33]", "3:a 10:b"),
        ("[a:b:1e1]", "10:a"),
        ("[a:b:1e400]", "10:a"),
        ("[a:b:-1e400]", "10:b"),
        ("[a:1.5]", "10:"),
        ("[a: b :5]", "5:a 10: b "),
        ("[[a:b:3]:c:6]", "3:a 6:b 10:c"),
        ("[a:[b:c:6]:3]", "3:a 6:b 10:c"),
        ("a[b:[c:d:2]:1]e", "1:abe 2:ace 10:ade"),
        ("[a:b]", "10:[a:b]"),
        ("[a|b:5]", "10:[a|b:5]"),
        ("", "10:"),
    ],
)
def test_schedules(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a|b]", "1:a 2:b 3:a 4:b"),
        ("[fe|]male", "1:female 2:male 3:female 4:male"),
        ("[|a]", "1: 2:a 3: 4:a"),
        ("[fe|||]male", "1:female 2:male 3:male 4:male"),
        ("[a|[b:c:2]]", "1:a 2:b 3:a 4:c"),
        ("[[a|b]:2]", "1: 2: 3:a 4:b"),
    ],
)
def test_alternation(text, expected):
    assert said(text, 4) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[a:b:0.5]", "4:b"), ("[a:b:1.5]", "2:a 4:b"), ("[a:b:5]", "4:b"), ("[a:b:15]", "4:a"), ("[a:b:12]", "2:a 4:b")],
)
def test_numbers_lead_on_into_the_hires_pass(text, expected):
    assert said(text, hires_steps=4) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("[a:b:1.5]", "1:a 10:b"), ("[a:b:0.5]", "5:a 10:b"), ("[a:b:1.0]", "1:a 10:b")]
)
def test_old_scheduling_tells_fractions_by_size(text, expected):
    assert said(text, use_old_scheduling=True) == expected
    assert said(text, use_old_scheduling=True, hires_steps=4) == expected


def test_alternation_holds_each_text_once():
    entries = timeline("[a|b] on a blue background", 1000)
    assert len(entries) == 1000
    assert len({id(entry.text) for entry in entries}) == 2


@given(prompts, st.integers(1, 40), st.none() | st.integers(1, 40), st.booleans())
def test_every_prompt_has_a_timeline(text, steps, hires_steps, old):
    entries = timeline(text, steps, hires_steps=hires_steps, use_old_scheduling=old)
    untils = [entry.until for entry in entries]
    assert untils == sorted(set(untils))
    assert untils[0] >= 1
    assert untils[-1] == (steps if old or hires_steps is None else hires_steps)


@given(st.text(alphabet=st.characters(exclude_characters="["), max_size=60), st.integers(1, 40))
def test_without_square_brackets_nothing_changes(text, steps):
    assert timeline(text, steps) == (Entry(steps, text),)


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:8])
def test_long_nonsense_has_a_timeline(text):
    assert timeline(text, 3)[-1].until == 3
