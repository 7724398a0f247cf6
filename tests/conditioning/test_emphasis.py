from __future__ import annotations

import pytest
import torch

from modules.conditioning.emphasis import emphasis_called, emphasised
from modules.terms.errors import BadRequest


@pytest.fixture
def z():
    return torch.randn(3, 77, 8, generator=torch.Generator().manual_seed(1)) + 0.1


@pytest.fixture
def weights():
    return torch.rand(3, 77, generator=torch.Generator().manual_seed(2)) + 0.5


def test_original_keeps_the_mean_of_the_whole_batch(z, weights):
    result = emphasised(z, weights, "Original")
    assert result.mean() == pytest.approx(float(z.mean()), rel=1e-4)
    ratio = result / (z * weights.unsqueeze(-1))
    assert torch.allclose(ratio, ratio.flatten()[0].expand_as(ratio), rtol=1e-4)


def test_one_text_of_a_batch_changes_the_others(z, weights):
    alone = emphasised(z[:1], weights[:1], "Original")
    assert not torch.allclose(emphasised(z, weights, "Original")[:1], alone, rtol=1e-4)


def test_counts_weigh_as_repetition_does(z, weights):
    repeated = [0, 0, 0, 1, 2, 2]
    expected = emphasised(z[repeated], weights[repeated], "Original")
    assert torch.allclose(emphasised(z, weights, "Original", [3, 1, 2]), expected[[0, 3, 4]], rtol=1e-5)


def test_the_other_modes(z, weights):
    assert torch.equal(emphasised(z, weights, "No norm"), z * weights.unsqueeze(-1))
    assert emphasised(z, weights, "Ignore") is z
    assert emphasised(z, weights, "None") is z


def test_modes_have_names():
    assert emphasis_called("No norm") == "No norm"
    with pytest.raises(BadRequest, match="Original"):
        emphasis_called("original")
