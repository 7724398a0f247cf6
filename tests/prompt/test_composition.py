from __future__ import annotations

import math

import pytest
from hypothesis import given

from modules.prompt.composition import Part, split_and
from tests.prompt.strategies import ENDLESS, prompts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a AND b", [("a", 1), (" b", 1)]),
        ("a :1.2 AND b:0.8", [("a", 1.2), (" b", 0.8)]),
        ("a:1.2", [("a", 1.2)]),
        ("portrait at 10:30", [("portrait at 10", 30)]),
        ("(a:1.2) AND b", [("(a:1.2)", 1), (" b", 1)]),
        ("a:1.2:1.3", [("a:1.2", 1.3)]),
        ("a AND", [("a", 1), ("", 1)]),
        ("a AND AND b", [("a", 1), ("", 1), (" b", 1)]),
        ("aAND b", [("aAND b", 1)]),
        ("a and b", [("a and b", 1)]),
        ("a:.5 AND b:-1", [("a", 0.5), (" b", -1)]),
        ("a AND b : x", [("a", 1), (" b : x", 1)]),
        ("a : +2. \n", [("a", 2)]),
        ("x:1.5.2", [("x:1.5.2", 1)]),
        ("a:", [("a:", 1)]),
        (":2", [("", 2)]),
        ("a\nAND\nb:3", [("a", 1), ("\nb", 3)]),
        ("[a AND b:c:5]", [("[a", 1), (" b:c:5]", 1)]),
        (f"a:{'9' * 400}", [(f"a:{'9' * 400}", 1)]),
    ],
)
def test_parts(text, parts):
    assert split_and(text) == tuple(Part(*part) for part in parts)


@given(prompts)
def test_every_prompt_has_parts(text):
    parts = split_and(text)
    assert parts
    assert all(math.isfinite(part.weight) and part.text == part.text.rstrip() for part in parts)


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:8])
def test_long_nonsense_has_parts(text):
    assert split_and(text)
