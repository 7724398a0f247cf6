from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.comments import strip_comments


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a # x", "a \n"),
        ("a # x\nb", "a \nb"),
        ("# x\na", "\na"),
        ("a\n# x\nb", "a\nb"),
        ("a\n# x\n# y\nb", "a\n\nb"),
        (r"a \# b", "a \\\n"),
        ("a", "a"),
    ],
)
def test_remarks_go(text, left):
    assert strip_comments(text) == left


@given(st.text("a#\n ", max_size=30))
def test_no_mark_survives(text):
    assert "#" not in strip_comments(text)
