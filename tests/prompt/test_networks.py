from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.prompt.networks import NetworkTag, extract_networks
from tests.prompt.strategies import ENDLESS, prompts


def test_a_tag_leaves_the_spaces_around_it():
    text, tags = extract_networks("a <lora:foo:0.5>, <hypernet:x> b")
    assert text == "a ,  b"
    assert tags == (NetworkTag("lora", ("foo", "0.5")), NetworkTag("hypernet", ("x",)))


def test_arguments_with_one_equals_sign_are_named():
    _, (tag,) = extract_networks("<lora:name:1:te=0.5:a=b=c:unet=>")
    assert tag.positional == ("name", "1", "a=b=c")
    assert tag.named == {"te": "0.5", "unet": ""}


@pytest.mark.parametrize("text", ["< lora:a>", "<lora>", "<lora:>", "<lora:a", "<a b:c>", "a > b < c:d"])
def test_what_is_no_tag_stays(text):
    assert extract_networks(text) == (text, ())


def test_a_tag_may_hold_anything_but_its_end():
    assert extract_networks("<a:<b:c>") == ("", (NetworkTag("a", ("<b", "c")),))
    assert extract_networks("<a:><b:c>") == ("<a:>", (NetworkTag("b", ("c",)),))


@given(prompts, prompts, st.lists(st.text("abc=. 1-", min_size=1, max_size=8), min_size=1, max_size=3))
def test_a_tag_is_found_again(before, after, args):
    tag = NetworkTag("lora", tuple(args))
    before = before.replace("<", "")
    assert extract_networks(f"{before}{tag}{after}") == (before + after, (tag,))


@pytest.mark.parametrize("text", [*ENDLESS, "<" * 20_000, "<a:b>" * 4_000], ids=lambda text: text[:8])
def test_long_nonsense_is_read_to_its_end(text):
    left, tags = extract_networks(text)
    assert len(left) + sum(len(str(tag)) for tag in tags) == len(text)
