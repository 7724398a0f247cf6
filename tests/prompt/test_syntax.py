from __future__ import annotations

import pytest
from hypothesis import given

from modules.prompt.syntax import MAX_DEPTH, Alternate, Scheduled, parse, render
from tests.prompt.strategies import ENDLESS, prompts


@given(prompts)
def test_a_tree_renders_to_the_text_it_came_from(text):
    assert render(parse(text)) == text
    assert parse(render(parse(text))) == parse(text)


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:8])
def test_long_nonsense_is_read_to_its_end(text):
    assert render(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("[a:b:5]", (Scheduled(("a",), ("b",), "5"),)),
        ("[b:5]", (Scheduled(None, ("b",), "5"),)),
        ("[:5]", (Scheduled(None, (), "5"),)),
        ("[a::5]", (Scheduled(("a",), (), "5"),)),
        ("[::5]", (Scheduled((), (), "5"),)),
        ("x [ a : b : 5 ] y", ("x ", Scheduled((" a ",), (" b ",), " 5 "), " y")),
        ("[a|b]", (Alternate((("a",), ("b",))),)),
        ("[|]", (Alternate(((), ())),)),
        ("[a||]", (Alternate((("a",), (), ())),)),
        ("[(a:2):3]", (Scheduled(None, ("(a:2)",), "3"),)),
        ("[[[b]]:2]", (Scheduled(None, ("[[b]]",), "2"),)),
        ("[a|[b:c:5]]", (Alternate((("a",), (Scheduled(("b",), ("c",), "5"),))),)),
        ("(a [b:5] c:1.2)", ("(a ", Scheduled(None, ("b",), "5"), " c:1.2)")),
        ("(a:[b:c:5]:1.2)", ("(a:", Scheduled(("b",), ("c",), "5"), ":1.2)")),
        (r"[a\:x:b:5]", (Scheduled((r"a\:x",), ("b",), "5"),)),
    ],
)
def test_well_formed_brackets_are_nodes(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize("number", ["5", "+5", "-5", "5.", ".5", "0.5", "1e1", "1.E-3", " 5\t"])
def test_numbers_that_end_a_schedule(number):
    assert parse(f"[a:{number}]") == (Scheduled(None, ("a",), number),)


@pytest.mark.parametrize(
    "text",
    [
        "[a]",
        "[5]",
        "[a:b]",
        "[a:5:b]",
        "[a::b:5]",
        "[a:b:c:5]",
        "[a:b:10%]",
        "[a:b:1.2.3]",
        "[a:b:e5]",
        "[a:b:]",
        "[a:b:５]",
    ]
    + ["(a:b:c)", "(a:b:5]", "x [a", "x a]", "[(a:b:1.2):c:5]", "[a:(5)]", "[a) b:5]", r"\[a:b:5\]", "[]", "()"],
)
def test_other_brackets_are_text(text):
    assert parse(text) == (text,)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("[a:b:5]]", (Scheduled(("a",), ("b",), "5"), "]")),
        ("[[a:b:5]", ("[", Scheduled(("a",), ("b",), "5"))),
        ("((a][:b:c [d:3]", ("((a][:b:c ", Scheduled(None, ("d",), "3"))),
        ("[x [a|b] y:z:c:5]", ("[x ", Alternate((("a",), ("b",))), " y:z:c:5]")),
    ],
)
def test_stray_brackets_leave_well_formed_ones_alone(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize("stray", ["|", "(a|b)", "[a|b:5]", "[a:b|c:5]", "[a|b", "(x [a|b", "[a|b)c]", "\\", "\\\nb"])
def test_some_things_make_the_whole_prompt_text(stray):
    text = f"[a:b:5] {stray}"
    assert parse(text) == (text,)


def test_depth_is_bounded():
    def nested(depth: int) -> str:
        return "[" * depth + "a" + ":5]" * depth

    assert isinstance(parse(nested(MAX_DEPTH))[0], Scheduled)
    too_deep = parse(nested(MAX_DEPTH + 1))
    assert too_deep[0] == "["
    assert render(too_deep) == nested(MAX_DEPTH + 1)
