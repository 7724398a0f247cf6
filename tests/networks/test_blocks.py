"""Weights per block, in the lists that people know."""

from __future__ import annotations

import pytest

from modules.networks.blocks import PRESETS, block_weights
from modules.terms.errors import BadRequest

SD1 = tuple([f"IN{n:02d}" for n in range(12)] + ["M00"] + [f"OUT{n:02d}" for n in range(12)])
FLUX = tuple([f"transformer_blocks.{n}" for n in range(19)] + [f"single_transformer_blocks.{n}" for n in range(38)])


def test_seventeen_values_name_the_blocks_with_attention() -> None:
    weights = block_weights(",".join(str(n / 10) for n in range(17)), SD1)
    assert weights.base == 0
    assert [weights.of(block) for block in ("IN01", "IN02", "IN04", "IN08", "M00", "OUT03", "OUT11")] == [
        0.1, 0.2, 0.3, 0.6, 0.7, 0.8, 1.6,
    ]  # fmt: skip
    assert weights.of("IN00") == weights.of("OUT02") == 0, "blocks without attention take no part"
    assert weights.of("") == 1, "what lies outside all blocks is not weighted"


@pytest.mark.parametrize(("count", "last"), [(26, "OUT11"), (12, "OUT05"), (20, "OUT08")])
def test_other_lists(count: int, last: str) -> None:
    weights = block_weights(",".join(["1"] * (count - 1) + ["0.5"]), SD1)
    assert (weights.base, weights.of("M00"), weights.of(last)) == (1, 1, 0.5)


def test_a_transformer_has_one_value_per_block() -> None:
    weights = block_weights(",".join(["1", *["0"] * 19, *["0.5"] * 38]), FLUX)
    assert (weights.of("transformer_blocks.0"), weights.of("single_transformer_blocks.37")) == (0, 0.5)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_lists(name: str) -> None:
    assert len(PRESETS[name]) == 17
    weights = block_weights(name.lower(), SD1)
    listed = block_weights(",".join(map(str, PRESETS[name])), SD1)
    assert [weights.of(block) for block in SD1 if listed.of(block)] == [listed.of(b) for b in SD1 if listed.of(b)]
    assert weights.base == listed.base


@pytest.mark.parametrize(("text", "hint"), [("1,2,3", "12, 17, 20, 26"), ("INAL", "INALL"), ("1,x", "neither")])
def test_what_is_no_list_says_what_would_be(text: str, hint: str) -> None:
    with pytest.raises(BadRequest, match=hint):
        block_weights(text, SD1)
