"""The counters count as CLIP does and see brackets that do not close."""

from __future__ import annotations

import pytest

from modules.gui.tokens import counters_html, lone_bracket
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a (red house", "The bracket ( at character 3 is never closed"),
        ("a red] house", "The bracket ] at character 6 was never opened"),
        ("a ([red) house", "The bracket [ at character 4 is never closed"),
    ],
)
def test_a_lone_bracket_is_marked_and_named(text: str, said: str) -> None:
    counter = counters_html(text, "", 20, Settings())[0]
    assert "unbalanced" in counter
    assert f'title="{said}' in counter


def test_the_hint_is_in_the_readers_language_and_no_html() -> None:
    counter = counters_html("", '<b>"(', 20, Settings(), language="zh-CN")[1]
    assert "第 5 个字符处的括号 ( 没有闭合" in counter
    assert "<b>" not in counter


def test_a_style_may_be_at_fault() -> None:
    book = StyleBook((Style("Old", "(painting of {prompt}", ""),))
    assert "styles" in counters_html("a red house", "", 20, Settings(), book, ["Old"])[0]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", None),
        ("(a [b] c)", None),
        (r"\(a", None),
        (r"a\\(b)", None),
        ("(a", 0),
        ("a)", 1),
        ("([)]", 1),
        ("(a) (b", 4),
    ],
)
def test_brackets(text: str, at: int | None) -> None:
    assert lone_bracket(text) == at
