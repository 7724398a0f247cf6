"""Noise levels, and what networks predict at them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from modules.diffusion.denoiser import PREDICTIONS, Predictor, prediction_called
from modules.diffusion.levels import FlowLevels, NoiseLevels
from modules.terms.errors import BadRequest

LEVELS = NoiseLevels.scaled_linear()


def test_levels_are_those_of_the_reference(parity: Path) -> None:
    tables = json.loads((parity / "texts" / "sigmas.json").read_text())
    torch.testing.assert_close(LEVELS.alphas_cumprod, torch.tensor(tables["alphas_cumprod"]), rtol=1e-7, atol=0)
    torch.testing.assert_close(LEVELS.sigmas, torch.tensor(tables["model_sigmas"]), rtol=1e-6, atol=0)


def test_bounds_of_stable_diffusion() -> None:
    assert (LEVELS.sigma_min, LEVELS.sigma_max) == pytest.approx((0.0291675, 14.6146421), rel=1e-5)
    assert float(LEVELS.sigmas[499]) == pytest.approx(1.6128862, rel=1e-5)


def test_index_and_sigma_are_inverse() -> None:
    index = torch.tensor([0.0, 0.25, 1.5, 499.75, 998.5, 999.0])
    torch.testing.assert_close(LEVELS.index(LEVELS.sigma(index)), index, rtol=0, atol=2e-3)


def test_sigmas_beyond_the_table_are_clamped() -> None:
    assert LEVELS.index(torch.tensor([1e-4, 1e4])).tolist() == [0.0, 999.0]


def test_quantized_timesteps_are_whole() -> None:
    between = (LEVELS.log_sigmas[10] * 0.6 + LEVELS.log_sigmas[11] * 0.4).exp()
    sigma = torch.stack([between, LEVELS.sigmas[700]])
    assert LEVELS.timestep(sigma).tolist() == pytest.approx([10.4, 700.0], abs=2e-3)
    assert LEVELS.timestep(sigma, quantize=True).tolist() == [10.0, 700.0]


def test_zero_terminal_snr_ends_in_noise_and_keeps_the_start() -> None:
    stretched = LEVELS.with_zero_terminal_snr()
    assert float(stretched.alphas_cumprod[-1]) == pytest.approx(4.8973451890853435e-08)
    torch.testing.assert_close(stretched.alphas_cumprod[0], LEVELS.alphas_cumprod[0])
    assert bool((stretched.sigmas.diff() > 0).all()) and stretched.sigma_max > 4000


def test_downcast_levels_are_half_precision_through_and_through() -> None:
    rounded = LEVELS.with_downcast_alphas()
    alphas = LEVELS.alphas_cumprod.half()
    assert torch.equal(rounded.alphas_cumprod, alphas.float())
    assert torch.equal(rounded.log_sigmas, (((1 - alphas) / alphas) ** 0.5).log().float())
    assert not torch.equal(rounded.log_sigmas, rounded.sigmas.log())


def test_thinned_levels_keep_their_timesteps() -> None:
    fifty = LEVELS.thinned(50)
    assert fifty.timesteps.tolist() == [float(step) for step in range(19, 1000, 20)]
    assert float(fifty.timestep(LEVELS.sigmas[[45]], quantize=True)) == 39.0
    assert fifty.thinned(50).timesteps.tolist() == fifty.timesteps.tolist()


def test_share_done_goes_from_nothing_to_all() -> None:
    assert LEVELS.share_done(LEVELS.sigmas[-1:]) == 0
    assert LEVELS.share_done(LEVELS.sigmas[[199]]) == 0.8
    assert LEVELS.share_done(LEVELS.sigmas[:1]) == 0.999


def test_flow_levels_mix_instead_of_adding() -> None:
    flow = FlowLevels.shifted(3.0)
    assert flow.sigma_max == 1.0
    assert float(flow.timestep(torch.tensor([0.25]))) == 250.0
    assert flow.with_zero_terminal_snr() is flow.with_downcast_alphas() is flow
    clean, noise = torch.full((1,), 2.0), torch.full((1,), -1.0)
    assert float(flow.noised(clean, noise, 0.25)) == pytest.approx(1.25)
    assert float(LEVELS.noised(clean, noise, 0.25)) == pytest.approx(1.75)


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_network_that_hits_its_target_denoises_perfectly(name: str) -> None:
    """The training target and the inference of a prediction belong together."""
    prediction = prediction_called(name)
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(3, 4, 8, 8, generator=generator) for _ in range(2))
    levels = FlowLevels.shifted() if name == "flow" else LEVELS
    sigma = torch.tensor([0.05, 0.4, 0.9]).view(-1, 1, 1, 1)
    x = levels.noised(clean, noise, sigma)
    output = prediction.target(clean, noise, sigma)
    torch.testing.assert_close(prediction.denoised(output, x, sigma), clean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["epsilon", "v", "x0"])
def test_networks_see_unit_variance(name: str) -> None:
    x = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(1)) * (1 + 5.0**2) ** 0.5
    seen = prediction_called(name).input(x, torch.tensor(5.0))
    assert float(seen.std()) == pytest.approx(1.0, abs=0.03)


def test_the_predictor_tells_the_network_its_timestep() -> None:
    told: list[Tensor] = []

    def network(
        x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
    ) -> Tensor:
        told.append(timestep)
        return torch.zeros_like(x)

    predict = Predictor(network, prediction_called("epsilon"), LEVELS)
    x, cross = torch.ones(2, 4, 8, 8), torch.zeros(2, 77, 8)
    assert torch.equal(predict(x, LEVELS.sigmas[[3, 500]], cross), x)
    predict(x, LEVELS.sigmas[[3, 500]], cross, timestep=torch.tensor([7.0, 8.0]))
    assert [step.tolist() for step in told] == [[3.0, 500.0], [7.0, 8.0]]


def test_an_unknown_prediction_names_the_known_ones() -> None:
    with pytest.raises(BadRequest, match="epsilon, v, x0, flow"):
        prediction_called("eps")
