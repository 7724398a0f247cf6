"""A relay is its first denoiser until the second is due, and the second from then on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from modules.diffusion.denoiser import EpsPrediction, Predictor
from modules.diffusion.guidance import GuidanceSettings, Guided
from modules.diffusion.levels import NoiseLevels
from modules.diffusion.relay import Relay, due_after_calls, due_at_level
from tests.diffusion.test_guidance import says

LEVELS = NoiseLevels.scaled_linear()
X = torch.zeros(1, 4, 2, 2)


def guided(value: float) -> Guided:
    def network(
        x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
    ) -> Tensor:
        return torch.full_like(x, value)

    text = says(value)
    return Guided(Predictor(network, EpsPrediction(), LEVELS), [[(text, 1.0)]], [text], GuidanceSettings(), total=10)


def answers(relay: Relay, sigmas: list[float]) -> list[float]:
    return [-float(relay(X, torch.tensor([sigma])).mean()) / sigma for sigma in sigmas]


@pytest.mark.parametrize(("share", "expected"), [(0.5, [1, 1, 2, 2]), (0.0, [2, 2, 2, 2]), (1.1, [1, 1, 1, 1])])
def test_the_level_decides(share: float, expected: list[float]) -> None:
    asked = []

    def second() -> Guided:
        asked.append(1)
        return guided(2.0)

    relay = Relay(guided(1.0), due_at_level(LEVELS, share), second)
    sigmas = [float(LEVELS.sigmas[level]) for level in (999, 600, 400, 10)]
    assert answers(relay, sigmas) == pytest.approx(expected)
    assert len(asked) == (2.0 in expected)


def test_calls_decide_and_go_on_counting() -> None:
    relay = Relay(guided(1.0), due_after_calls(4, 0.5), lambda: guided(2.0))
    assert answers(relay, [3.0, 3.0, 3.0, 3.0]) == pytest.approx([1, 1, 2, 2])
    assert relay.runner.calls == 4
    assert relay.uncond is relay.runner.uncond


def test_it_never_goes_back() -> None:
    relay = Relay(guided(1.0), due_at_level(LEVELS, 0.5), lambda: guided(2.0))
    assert answers(relay, [0.1, 14.0]) == pytest.approx([2, 2])
