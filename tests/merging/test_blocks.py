"""Weights per block reach the tensors of their block, and only those."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from modules.checkpoints.files import open_tensors
from modules.merging.blocks import NAMES, PRESETS, multipliers
from modules.merging.merge import Sources, plan
from modules.terms.errors import BadRequest
from modules.terms.merging import MergeRequest

SD1 = [
    *(f"model.diffusion_model.input_blocks.{n}.0.weight" for n in range(12)),
    "model.diffusion_model.middle_block.1.weight",
    *(f"model.diffusion_model.output_blocks.{n}.0.weight" for n in range(12)),
    "model.diffusion_model.time_embed.0.weight",
    "model.diffusion_model.out.2.weight",
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
]


def test_every_preset_has_a_value_for_each_block() -> None:
    assert all(len(values) == len(NAMES) == 25 for values in PRESETS.values())
    assert PRESETS["GRAD_V"][0] == PRESETS["GRAD_V"][-1] == 1
    assert PRESETS["GRAD_V"][12] == 0
    assert PRESETS["WRAP08"] == (1,) * 4 + (0,) * 17 + (1,) * 4
    assert PRESETS["SMOOTHSTEP"][1] == pytest.approx(0.00506365740740741)


def test_25_values_go_from_the_first_block_to_the_last() -> None:
    found = multipliers(",".join(str(n / 100) for n in range(25)), 0.9, SD1)
    assert [found.of(key) for key in SD1[:25]] == [n / 100 for n in range(25)]
    assert [found.of(key) for key in SD1[25:]] == [0.0, 0.24, 0.9]


def test_a_value_in_front_is_for_everything_else() -> None:
    found = multipliers(",".join(["0.5", *["1"] * 25]), 0.9, SD1)
    assert found.of(SD1[-1]) == 0.5
    assert found.of(SD1[0]) == 1


def test_smaller_models_take_what_their_blocks_are_called() -> None:
    sdxl = [key for key in SD1 if not any(f"_blocks.{n}." in key for n in (9, 10, 11))]
    found = multipliers("OUT07", 0.9, sdxl)
    assert [found.of(f"model.diffusion_model.output_blocks.{n}.0.weight") for n in (4, 5, 8)] == [0, 1, 1]
    assert multipliers(",".join(["0.1"] * 19), 0.9, sdxl).of(sdxl[0]) == 0.1


def test_transformers_have_blocks_too() -> None:
    keys = [
        f"model.diffusion_model.{kind}_blocks.{n}.linear.weight" for kind in ("double", "single") for n in range(11)
    ]
    found = multipliers(",".join(str(n) for n in range(22)), 0.9, keys)
    assert [found.of(key) for key in keys] == list(range(22))


@pytest.mark.parametrize("text", ["1,2,3", "GRAD_X", "1,two"])
def test_what_cannot_be_meant_is_said(text: str) -> None:
    with pytest.raises(BadRequest):
        multipliers(text, 0.5, SD1)


def test_merging_by_block(make: Callable[..., Path], tmp_path: Path) -> None:
    a, b = make("a", 1), make("b", 2)
    request = MergeRequest(primary="a", secondary="b", multiplier=0.0, blocks="ALL_B")
    plan(request, Sources(open_tensors(a), open_tensors(b))).write(tmp_path / "m.safetensors", {}, lambda *_: None)
    found: dict[str, Tensor] = load_file(tmp_path / "m.safetensors")
    first, second = load_file(a), load_file(b)
    for key, value in found.items():
        is_unet = key.startswith("model.diffusion_model.")
        assert torch.equal(value, (second if is_unet else first)[key]), key
