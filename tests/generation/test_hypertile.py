"""Attention within tiles: nothing is lost on the way, tiles do not see each other, and whole ones change nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from modules.generation.hypertile import Hypertile, depths, entries, grid_of, hypertiled, hypertiled_decoder, joined
from modules.generation.pipeline import generate
from modules.generation.tools import Tools
from modules.settings.store import Settings
from modules.terms.request import GenerationRequest


class Mean(nn.Module):
    """Attention to everything alike."""

    def forward(self, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None) -> Tensor:
        return hidden_states.mean(dim=1, keepdim=True).expand_as(hidden_states)


class Unet(nn.Module):
    """One block beside the whole latents, named as in diffusers."""

    def __init__(self) -> None:
        super().__init__()
        block, attention, side = nn.Module(), nn.Module(), nn.Module()
        block.attn1 = Mean()
        attention.transformer_blocks = nn.ModuleList([block])
        side.attentions = nn.ModuleList([attention])
        self.down_blocks = nn.ModuleList([side])
        self.up_blocks = nn.ModuleList([nn.Module()])

    def forward(self, sample: Tensor) -> Tensor:
        attention = self.get_submodule("down_blocks.0.attentions.0.transformer_blocks.0.attn1")
        return attention(sample.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, sample.shape[-2:])


def asked_for(depth: int, side: int, choices: int, seed: int = 0) -> Hypertile:
    return Hypertile(depth, side, choices, random.Random(seed))


@given(st.integers(1, 48), st.integers(1, 48), st.integers(0, 3), st.integers(0, 512), st.integers(0, 8))
def test_what_is_cut_is_joined(height: int, width: int, depth: int, side: int, choices: int) -> None:
    tokens = torch.arange(2.0 * height * width).view(2, -1, 1)
    tiles, (rows, columns) = asked_for(3, side, choices).cut(tokens, height, width, depth)
    assert torch.equal(joined(tiles, height, width, rows, columns), tokens)


def test_each_tile_sees_itself_alone() -> None:
    sample, unet = torch.rand(1, 2, 32, 32), Unet()
    with hypertiled(unet, asked_for(0, 128, 1)):
        seen = unet(sample)
    corner = sample[..., :16, :16].mean(dim=(2, 3))
    assert torch.allclose(seen[..., :16, :16], corner[..., None, None])
    assert not torch.allclose(seen, unet(sample))
    assert torch.equal(unet(sample), unet(sample))


def test_the_sides_are_swapped_as_a1111_swaps_them() -> None:
    """It reads a picture of 32 rows with 64 tokens each as 64 rows with 32 each."""
    sample, unet = torch.rand(1, 2, 32, 64), Unet()
    with hypertiled(unet, asked_for(0, 128, 1)):
        seen = unet(sample)
    first = sample.reshape(1, 2, 64, 32)[..., :16, :16].mean(dim=(2, 3))
    assert torch.allclose(seen.reshape(1, 2, 64, 32)[..., :16, :16], first[..., None, None])


@pytest.mark.parametrize("asked", [asked_for(3, 512, 1), None])
def test_a_tile_as_large_as_the_picture_changes_nothing(asked: Hypertile | None) -> None:
    sample, unet = torch.rand(1, 2, 32, 32), Unet()
    with hypertiled(unet, asked):
        assert torch.equal(unet(sample), unet(sample))


def test_a_seed_decides_which_tiles() -> None:
    drawn = [[asked.parts(96, 0) for _ in range(20)] for asked in (asked_for(3, 128, 3, seed) for seed in (1, 1, 2))]
    assert drawn[0] == drawn[1] != drawn[2]
    assert set(drawn[0]) == {6, 4, 3}


def test_deeper_tiles_have_more_tokens() -> None:
    asked = asked_for(3, 256, 1)
    assert [asked.parts(64 >> depth, depth) for depth in range(4)] == [2, 1, 1, 1]
    assert [asked.parts(256 >> depth, depth) for depth in range(4)] == [8, 2, 1, 1]


def levels(**unlike: Any) -> dict[tuple[str, int], int]:
    """(Side, block in it) of a small network of SD 1.x's shape, as far as `unlike` does not change it -> depth."""
    whole = {"block_out_channels": (8,) * 4, "norm_num_groups": 4, "cross_attention_dim": 8, "attention_head_dim": 4}
    found = depths(UNet2DConditionModel(**{**whole, **unlike}))
    return {(name.partition(".attentions")[0], int(name.rpartition(".")[2])): depth for name, depth in found.items()}


def test_depths_of_sd_1() -> None:
    sides = {"down_blocks.0": 0, "down_blocks.1": 1, "down_blocks.2": 2, "mid_block": 3}
    sides |= {"up_blocks.1": 2, "up_blocks.2": 1, "up_blocks.3": 0}
    assert levels() == {(side, 0): depth for side, depth in sides.items()}


def test_depths_of_sdxl() -> None:
    found = levels(
        block_out_channels=(8,) * 3,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 3),
    )
    assert found == {
        **{(side, block): block for side in ("down_blocks.1", "up_blocks.1") for block in (0, 1)},
        **{(side, block): 1 for side in ("down_blocks.2", "up_blocks.0") for block in (0, 1, 2)},
        **{("mid_block", block): 2 for block in (0, 1, 2)},
    }


@pytest.mark.parametrize(
    ("on", "hires", "said"),
    [
        ((), True, []),
        (("unet",), False, ["Hypertile U-Net"]),
        (("unet_secondpass",), False, []),
        (("unet_secondpass", "vae"), True, ["Hypertile U-Net second pass", "Hypertile VAE"]),
        (("unet", "unet_secondpass"), True, ["Hypertile U-Net"]),
    ],
)
def test_what_is_on_is_recorded(on: tuple[str, ...], hires: bool, said: list[str]) -> None:
    settings = Settings().with_flat({f"hypertile_enable_{name}": True for name in on})
    assert list(entries(settings, hires=hires)) == said


def test_grids_are_halvings() -> None:
    assert grid_of(64 * 48, 64, 48) == (64, 48)
    assert grid_of(16 * 12, 64, 48) == (16, 12)
    assert grid_of(8 * 5, 15, 10) == (8, 5)
    assert grid_of(7, 64, 48) is None


def test_what_has_no_such_attention_is_left_alone() -> None:
    with hypertiled_decoder(nn.Linear(2, 2), asked_for(0, 128, 1)):
        pass


def test_a_picture_has_the_tiles_of_its_seed_alone_or_in_a_row(tools: Tools) -> None:
    """Batches of one: the second of a row is the picture that its seed gives by itself."""
    on = {"hypertile_enable_unet": True, "hypertile_max_tile_unet": 128}
    request = GenerationRequest(prompt="a house", steps=4, width=256, height=256, seed=7, settings=on)
    whole = generate(replace(request, settings={}), tools)
    row = generate(replace(request, n_iter=2), tools)
    alone = generate(replace(request, seed=8), tools)
    first, second, other = (np.asarray(one.image) for one in (*row.images, *alone.images))
    assert np.array_equal(second, other)
    assert not np.array_equal(first, np.asarray(whole.images[0].image))
    assert "Hypertile U-Net: True" in row.images[0].infotext
