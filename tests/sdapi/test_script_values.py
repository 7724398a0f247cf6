"""Arguments of a script by label stand where those by place would."""

from __future__ import annotations

import pytest

from modules.sdapi.script_values import script_values
from modules.terms.errors import BadRequest

FIELDS = [
    {"label": "X type", "value": "Seed"},
    {"label": "X values", "value": ""},
    {"label": "X values", "value": []},
    {"label": "Draw legend", "value": True},
    {"label": "", "value": None},
]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([1, "2"], (1, "2")),
        ({}, ("Seed", "", [], True, None)),
        ({"x type": "Steps", "X values": "1,2"}, ("Steps", "1,2", [], True, None)),
        ({"X values": ["Euler"], "Draw legend": False}, ("Seed", "", ["Euler"], False, None)),
    ],
)
def test_values_come_by_place_or_by_label(given: object, wanted: tuple[object, ...]) -> None:
    assert script_values(given, "X/Y/Z plot", FIELDS) == wanted  # type: ignore[arg-type]


def test_a_label_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(BadRequest, match="X/Y/Z plot has no field 'X typ'. Did you mean 'X type'"):
        script_values({"X typ": 1}, "X/Y/Z plot", FIELDS)
