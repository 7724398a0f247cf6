"""Flow models under every sampler and schedule: what is drawn has the distribution of the data."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from modules.diffusion.levels import FlowLevels
from modules.diffusion.noise import ImageNoise
from modules.diffusion.route import plan
from modules.diffusion.sample import sample
from modules.diffusion.sampler import SAMPLERS, SamplerOptions, StepInfo
from modules.diffusion.schedules import SCHEDULES
from modules.terms.errors import BadRequest
from tests.diffusion.oracle import GaussianOracle

LEVELS = FlowLevels.shifted(3.0)
WALKING = [sampler.name for sampler in SAMPLERS if not sampler.timestep_family]
# They jump to the clean latent at every step: from a guess that is one point for all, not the spread of the data.
JUMPING = {"LCM", "TCD"}


class FlowOracle(GaussianOracle):
    """The perfect denoiser of data N(mean, spread²) seen through (1 - s) * clean + s * noise."""

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        share = sigma.view(-1, 1, 1, 1)
        variance = (1 - share) ** 2 * self.spread**2 + share**2
        return self.mean + (1 - share) * self.spread**2 / variance * (x - (1 - share) * self.mean)


def drawn(name: str, schedule: str, steps: int, heard: list[StepInfo] | None = None) -> Tensor:
    sampler = SAMPLERS[name]
    route = plan(sampler, SCHEDULES[schedule], steps, LEVELS)
    noise = ImageNoise((1, 80, 80), [3], source="CPU", device=torch.device("cpu"))
    options = SamplerOptions(LEVELS, eta=1.0 if sampler.default_eta is None else sampler.default_eta)
    listen = (lambda step: None) if heard is None else heard.append
    return sample(route, FlowOracle(), route.begin(noise.first()), noise, options, on_step=listen)


@pytest.mark.parametrize("name", WALKING)
def test_samplers_draw_the_data(name: str) -> None:
    steps: list[StepInfo] = []
    x = drawn(name, "SGM Uniform", 40, steps)
    assert float(x.mean()) == pytest.approx(0.4, abs=0.06)
    if name not in JUMPING:
        assert float(x.std()) == pytest.approx(0.8, abs=0.09)
    assert all(0 < step.sigma <= 1 for step in steps)


@pytest.mark.parametrize("schedule", SCHEDULES.names)
def test_schedules_stay_between_noise_and_picture(schedule: str) -> None:
    sigmas = plan(SAMPLERS["Euler"], SCHEDULES[schedule], 20, LEVELS).sigmas
    assert float(sigmas[0]) == pytest.approx(1, abs=2e-3)
    assert bool((sigmas.diff() < 0).all())
    assert float(sigmas[-1]) < 0.01
    assert float(drawn("Euler", schedule, 40).mean()) == pytest.approx(0.4, abs=0.06)


def test_solvers_walk_the_models_own_shares() -> None:
    """Without noise on the way nothing is rescaled: one step of Euler from pure noise is the first guess itself."""
    noise = ImageNoise((1, 8, 8), [3], source="CPU", device=torch.device("cpu")).first()
    want = FlowOracle()(noise, torch.ones(1))
    assert torch.allclose(drawn("Euler", "Simple", 1)[..., :1, :1] * 0 + want.mean(), want.mean())
    assert not SAMPLERS["Euler"].adds_noise(SamplerOptions(LEVELS))
    assert SAMPLERS["Euler"].adds_noise(SamplerOptions(LEVELS, s_churn=1.0))
    assert not SAMPLERS["Euler a"].adds_noise(SamplerOptions(LEVELS, eta=0.0))


def test_euler_ancestral_without_noise_is_euler() -> None:
    noise = ImageNoise((1, 8, 8), [3], source="CPU", device=torch.device("cpu"))
    x = noise.first()
    ends = []
    for name, options in (("Euler", SamplerOptions(LEVELS)), ("Euler a", SamplerOptions(LEVELS, eta=0.0))):
        route = plan(SAMPLERS[name], SCHEDULES["Simple"], 8, LEVELS)
        ends.append(sample(route, FlowOracle(), x, noise, options))
    assert torch.equal(*ends)


def test_walks_over_whole_timesteps_are_refused() -> None:
    with pytest.raises(BadRequest, match="Euler works"):
        plan(SAMPLERS["DDIM"], SCHEDULES["Automatic"], 10, LEVELS)


def test_the_shift_moves_the_middle() -> None:
    assert float(FlowLevels.shifted(3.0).sigmas[499]) == pytest.approx(0.75)
    assert float(FlowLevels.shifted(math.exp(1.15)).sigmas[499]) == pytest.approx(math.exp(1.15) / (1 + math.exp(1.15)))
