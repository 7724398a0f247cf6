"""Attention within tiles: nothing is lost on the way, tiles do not see each other, and whole ones change nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from modules.generation.hypertile import Hypertile, grid_of, hypertiled, hypertiled_decoder, joined


class BasicTransformerBlock(nn.Module):
    """By its name one of diffusers' blocks; its attention is the mean of what it sees."""

    class Mean(nn.Module):
        def forward(self, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None) -> Tensor:
            return hidden_states.mean(dim=1, keepdim=True).expand_as(hidden_states)

    def __init__(self) -> None:
        super().__init__()
        self.attn1 = self.Mean()

    def forward(self, sample: Tensor) -> Tensor:
        return self.attn1(sample.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, sample.shape[-2:])


@given(st.integers(1, 48), st.integers(1, 48), st.integers(0, 3), st.integers(0, 512), st.integers(0, 8))
def test_what_is_cut_is_joined(height: int, width: int, depth: int, side: int, choices: int) -> None:
    tokens = torch.arange(2.0 * height * width).view(2, -1, 1)
    tiles, (rows, columns) = Hypertile(3, side, choices).cut(tokens, height, width, depth)
    assert torch.equal(joined(tiles, height, width, rows, columns), tokens)


def test_each_tile_sees_itself_alone() -> None:
    sample = torch.rand(1, 2, 32, 64)
    asked = Hypertile(0, 128, 1)
    block = BasicTransformerBlock()
    with hypertiled(block, asked):
        seen = block(sample)
    corner = sample[..., :16, :16].mean(dim=(2, 3))
    assert torch.allclose(seen[..., :16, :16], corner[..., None, None])
    assert not torch.allclose(seen, block(sample))
    assert torch.equal(block(sample), block(sample))


@pytest.mark.parametrize("asked", [Hypertile(3, 512, 1), None])
def test_a_tile_as_large_as_the_picture_changes_nothing(asked: Hypertile | None) -> None:
    sample, block = torch.rand(1, 2, 32, 32), BasicTransformerBlock()
    with hypertiled(block, asked):
        assert torch.equal(block(sample), block(sample))


def test_depths_are_halvings() -> None:
    assert grid_of(64 * 48, 64, 48) == (64, 48, 0)
    assert grid_of(16 * 12, 64, 48) == (16, 12, 2)
    assert grid_of(8 * 5, 15, 10) == (8, 5, 1)
    assert grid_of(7, 64, 48) is None


def test_what_has_no_such_attention_is_left_alone() -> None:
    with hypertiled_decoder(nn.Linear(2, 2), Hypertile(0, 128, 1)):
        pass
