"""Prompts as people mistype them."""

from __future__ import annotations

from hypothesis import strategies as st

MARKS = ["[", "]", "(", ")", ":", "|", "\\", "\n", " ", "a", "AND", " BREAK ", "5", "0.5", ":1.2)", ":0.5]", "[a:b:5]"]

bracket_soup = st.lists(st.sampled_from(MARKS), max_size=30).map("".join)
prompts = st.one_of(bracket_soup, st.text(max_size=60))

# Each is long enough to hang a parser that tries readings one after the other.
ENDLESS = [
    "[" * 20_000,
    "(a" * 10_000,
    "(a" * 5_000 + ")" * 5_000,
    "[a:" * 5_000 + ":5]" * 5_000,
    "[a|" * 5_000 + "]" * 5_000,
    "[[a]:1]" * 3_000,
    ": " * 10_000,
    "(a:" + "1" * 20_000,
    "<a:" * 7_000,
    " " * 20_000,
    "\\" * 20_001,
    "BREAK " * 4_000,
    "a AND " * 4_000,
]
