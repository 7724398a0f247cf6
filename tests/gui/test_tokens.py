"""The counters count as CLIP does and see brackets that do not close."""

from __future__ import annotations

import pytest

from modules.gui.tokens import balanced, counters_html
from modules.prompt.styles import Style, StyleBook
from modules.settings.store import Settings


def test_counters() -> None:
    positive, negative = counters_html("a red house", "", 20, Settings())
    assert positive == '<span class="token-counter">3/75</span>'
    assert negative == '<span class="token-counter"></span>'


def test_no_counter_where_none_is_wanted() -> None:
    settings = Settings().with_flat({"disable_token_counters": True})
    assert counters_html("a red house", "fog", 20, settings) == ('<span class="token-counter"></span>',) * 2


def test_chosen_styles_count_unless_the_settings_say_otherwise() -> None:
    book = StyleBook((Style("Old", "painting of {prompt}", "photo"),))
    assert ">5/75<" in counters_html("a red house", "", 20, Settings(), book, ["Old"])[0]
    assert ">1/75<" in counters_html("", "", 20, Settings(), book, ["Old"])[1]
    alone = Settings().with_flat({"include_styles_into_token_counters": False})
    assert ">3/75<" in counters_html("a red house", "", 20, alone, book, ["Old"])[0]


def test_network_tags_do_not_count() -> None:
    assert ">3/75<" in counters_html("a red house <lora:woodcut:0.8>", "", 20, Settings())[0]


def test_a_long_prompt_takes_more_chunks() -> None:
    positive, _ = counters_html("house " * 80, None, None, Settings())
    assert ">80/150<" in positive


def test_open_brackets_are_marked() -> None:
    assert "unbalanced" in counters_html("a (red house", "", 20, Settings())[0]


@pytest.mark.parametrize(
    ("text", "fine"),
    [("", True), ("(a [b] c)", True), (r"\(a", True), (r"a\\(b)", True), ("(a", False), ("a)", False), ("([)]", False)],
)
def test_brackets(text: str, fine: bool) -> None:
    assert balanced(text) is fine
