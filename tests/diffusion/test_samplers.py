"""Every sampler against a denoiser whose answers are known, and against itself in other company."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from modules.diffusion.levels import NoiseLevels
from modules.diffusion.noise import ImageNoise
from modules.diffusion.route import plan
from modules.diffusion.sample import sample
from modules.diffusion.sampler import SAMPLERS, SamplerOptions, StepInfo, UniPCOptions, unwatched
from modules.diffusion.schedules import SCHEDULES
from modules.terms.errors import Interrupted
from tests.diffusion.oracle import GaussianOracle, falling, fine_levels

LEVELS = NoiseLevels.scaled_linear()
FINE = fine_levels()
NAMES = SAMPLERS.names

# Multistep methods gain an order per step; they are given short first steps, so that those do not decide.
ORDERS = [
    ("Euler", 1, 1.0),
    ("Euler a", 1, 1.0),
    ("Euler CFG++", 1, 1.0),
    ("Euler a CFG++", 1, 1.0),
    ("TCD", 1, 1.0),
    ("Gradient estimation", 1, 1.0),
    ("HeunPP2", 1, 1.0),
    ("Heun", 2, 1.0),
    ("DPM2", 2, 1.0),
    ("DPM2 a", 2, 1.0),
    ("DPM++ 2M", 2, 1.0),
    ("DPM++ 2M CFG++", 2, 1.0),
    ("DPM++ 2S a", 2, 1.0),
    ("DPM++ SDE", 2, 1.0),
    ("DPM++ 2M SDE", 2, 1.0),
    ("DPM++ 2M SDE Heun", 2, 1.0),
    ("DPM++ 3M SDE", 2, 3.0),
    ("Res multistep", 2, 1.0),
    ("ER SDE", 2, 1.0),
    ("IPNDM", 2, 1.0),
    ("DEIS", 3, 3.0),
    ("LMS", 4, 3.0),
    ("IPNDM_V", 4, 3.0),
    ("SA-Solver", 4, 3.0),
]


def still(sigma: float, sigma_next: float) -> Tensor:
    raise AssertionError("a deterministic walk asked for noise")


def error(name: str, sigmas: Tensor, options: SamplerOptions, *, unit_variance: bool = False) -> float:
    """How far the walk ends from where the ODE ends. `unit_variance`: the walk ends in the timestep family's space."""
    oracle, start = GaussianOracle(), 7.0
    x = torch.full((1, 1, 1, 1), start, dtype=torch.float64)
    end = float(SAMPLERS[name].walk(oracle, x, sigmas, noise=still, on_step=unwatched, options=options))
    last = float(sigmas[-1])
    return abs(end * (math.sqrt(1 + last**2) if unit_variance else 1) - oracle.exact(start, float(sigmas[0]), last))


@pytest.mark.parametrize(("name", "order", "power"), ORDERS, ids=[name for name, *_ in ORDERS])
def test_order_of_convergence(name: str, order: int, power: float) -> None:
    options = SamplerOptions(levels=LEVELS, eta=0.0)
    coarse, fine = (error(name, falling(steps, power=power), options) for steps in (160, 320))
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize(("steps", "order"), [((81, 162), 2), ((80, 161), 3), ((79, 160), 2)])
def test_dpm_fast_has_the_order_of_its_last_step_plus_one(steps: tuple[int, int], order: int) -> None:
    options = SamplerOptions(levels=LEVELS, eta=0.0)
    coarse, fine = (error("DPM fast", falling(count), options) for count in steps)
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.1)


def test_restart_is_heun_below_twenty_steps() -> None:
    options = SamplerOptions(levels=LEVELS)
    assert error("Restart", falling(16), options) == pytest.approx(error("Heun", falling(16), options))


def test_dpm_adaptive_keeps_its_tolerance() -> None:
    assert error("DPM adaptive", falling(10), SamplerOptions(levels=LEVELS, eta=0.0)) < 0.05


def timesteps(steps: int, *, extra: bool) -> Tensor:
    indices = torch.linspace(len(FINE) - 1, 0, steps + 1).round().long()
    sigmas = FINE.sigmas[indices]
    return torch.cat([sigmas[:1], sigmas if extra else sigmas[:-1]])


@pytest.mark.parametrize(("name", "order"), [("DDIM", 1), ("DDIM CFG++", 1), ("PLMS", 2)])
def test_order_of_the_timestep_family(name: str, order: int) -> None:
    options = SamplerOptions(levels=FINE, eta=0.0)
    coarse, fine = (error(name, timesteps(steps, extra=True), options, unit_variance=True) for steps in (80, 160))
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("variant", ["bh1", "bh2"])
def test_unipc_has_order_two_with_a_first_order_end(variant: str) -> None:
    options = SamplerOptions(levels=FINE, unipc=UniPCOptions(variant=variant))
    coarse, fine = (unipc_error(steps, options) for steps in (80, 160))
    assert math.log2(coarse / fine) == pytest.approx(2, abs=0.1)


def test_unipc_of_full_order_is_far_better() -> None:
    options = SamplerOptions(levels=FINE, unipc=UniPCOptions(lower_order_final=False))
    assert unipc_error(80, options) < unipc_error(80, SamplerOptions(levels=FINE)) / 50


def unipc_error(steps: int, options: SamplerOptions) -> float:
    oracle, start = GaussianOracle(), 7.0
    x = torch.full((1, 1, 1, 1), start, dtype=torch.float64)
    sigmas = timesteps(steps, extra=False)
    end = float(SAMPLERS["UniPC"].walk(oracle, x, sigmas, noise=still, on_step=unwatched, options=options))
    first, last = float(FINE.sigmas[-1]), float(FINE.sigmas[0])
    assert oracle.calls == steps
    return abs(end * math.sqrt(1 + last**2) - oracle.exact(start, first, last))


def test_on_even_steps_ipndm_is_lms() -> None:
    even, options = torch.linspace(8, 0.2, 31, dtype=torch.float64), SamplerOptions(levels=LEVELS)
    assert error("IPNDM", even, options) == pytest.approx(error("LMS", even, options), rel=1e-6)


def test_ddpm_is_euler_a() -> None:
    ends = []
    for name in ("DDPM", "Euler a"):
        noise = ImageNoise((1, 4, 4), [3])
        ends.append(
            SAMPLERS[name].walk(
                GaussianOracle(),
                noise.first().double() * 8,
                falling(20),
                noise=lambda sigma, sigma_next, noise=noise: noise.next(),
                on_step=unwatched,
                options=SamplerOptions(levels=LEVELS),
            )
        )
    torch.testing.assert_close(*ends)


STOCHASTIC = [
    (name, eta)
    for name in NAMES
    for eta in ((1.0, 0.5) if "eta" in SAMPLERS[name].accepts else (1.0,))
    if ("eta" in SAMPLERS[name].accepts or name in ("DDPM", "Restart"))
    and not (SAMPLERS[name].timestep_family or name == "TCD")
]


@pytest.mark.parametrize(("name", "eta"), STOCHASTIC, ids=[f"{name} {eta}" for name, eta in STOCHASTIC])
def test_noise_leaves_the_marginal_as_it_is(name: str, eta: float) -> None:
    """After a fine walk the latents are distributed as the data: mean 0.4, standard deviation 0.8."""
    # 10,000 numbers: three standard errors are 0.024 of the mean and 0.017 of the deviation; the rest is step size.
    oracle, end = GaussianOracle(), spread_after(name, "Karras", SamplerOptions(levels=LEVELS, eta=eta))
    slack = 0.08 if name == "DPM adaptive" else 0.045
    assert float(end.mean()) == pytest.approx(oracle.mean, abs=slack)
    assert float(end.std()) == pytest.approx(oracle.spread, abs=slack)


def spread_after(name: str, schedule: str, options: SamplerOptions, denoise: GaussianOracle | None = None) -> Tensor:
    """Where a fine walk takes many independent pixels that are distributed as noised data are."""
    oracle = denoise or GaussianOracle()
    route = plan(SAMPLERS[name], SCHEDULES[schedule], 60, LEVELS)
    noise = ImageNoise((1, 100, 100), [1])
    x = oracle.mean + noise.first() * math.sqrt(route.start**2 + oracle.spread**2)
    return sample(route, oracle, x, noise, options)


class ConsistencyOracle(GaussianOracle):
    """Jumps to the end of the path at once, as distilled models do."""

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        level = sigma.view(-1, 1, 1, 1)
        return self.mean + (x - self.mean) * self.spread / (self.spread**2 + level**2).sqrt()


@pytest.mark.parametrize(("name", "eta"), [("LCM", 1.0), ("TCD", 1.0)])
def test_distilled_samplers_keep_the_data_of_a_consistency_model(name: str, eta: float) -> None:
    options = SamplerOptions(levels=LEVELS, eta=eta)
    end = spread_after(name, "Uniform", options, ConsistencyOracle())
    assert float(end.std()) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("churn", [20.0, 60.0])
def test_churn_leaves_the_marginal_as_it_is(churn: float) -> None:
    end = spread_after("Heun", "Karras", SamplerOptions(levels=LEVELS, s_churn=churn))
    assert float(end.std()) == pytest.approx(0.8, abs=0.04)


def bent(x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
    """A denoiser that is not linear, and different for every pixel."""
    level = sigma.view(-1, 1, 1, 1)
    return torch.tanh(1.5 * x / (1 + level**2).sqrt()) + 0.1 * torch.sin(x.roll(1, dims=-1))


def walked(name: str, seeds: list[int], source: str, *, steps: int = 7, strength: float | None = None) -> Tensor:
    sampler = SAMPLERS[name]
    route = plan(sampler, SCHEDULES["Automatic"], steps, LEVELS, strength=strength)
    noise = ImageNoise((2, 8, 8), seeds, source=source, eta_seed_delta=5)
    picture = torch.linspace(-1, 1, 64).view(1, 1, 8, 8).expand(len(seeds), 2, 8, 8) if strength else None
    x = route.begin(noise.first(), picture)
    eta = sampler.default_eta or 1.0
    options = SamplerOptions(levels=LEVELS, eta=eta, s_churn=3.0, from_image=route.from_image)
    return sample(route, bent, x, noise, options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("source", ["CPU", "NV"])
def test_a_picture_does_not_depend_on_its_neighbours(name: str, source: str) -> None:
    together = walked(name, [11, 12, 13], source)
    alone = torch.cat([walked(name, [seed], source) for seed in (11, 12, 13)])
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_sampler_walks_a_picture_at_any_strength(name: str) -> None:
    for strength in (0.0, 0.05, 0.6, 1.0):
        assert torch.isfinite(walked(name, [5], "CPU", strength=strength)).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_sampler_can_do_few_steps(name: str, steps: int) -> None:
    assert torch.isfinite(walked(name, [5], "CPU", steps=steps)).all()


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_told_in_order_and_stop_the_walk(name: str) -> None:
    told: list[StepInfo] = []

    def stop_at_third(step: StepInfo) -> None:
        told.append(step)
        if len(told) == 3:
            raise Interrupted

    sampler = SAMPLERS[name]
    route = plan(sampler, SCHEDULES["Automatic"], 8, LEVELS)
    noise = ImageNoise((2, 4, 4), [1])
    x = route.begin(noise.first())
    with pytest.raises(Interrupted):
        sample(route, bent, x, noise, SamplerOptions(levels=LEVELS), on_step=stop_at_third)
    assert [step.index for step in told] in ([0, 1, 2], [0, 0, 1], [0, 1, 1], [0, 0, 0])
    assert all(step.denoised.shape == x.shape and step.index < step.total for step in told)
    if name != "DPM adaptive":
        assert told[0].sigma > told[1].sigma > told[2].sigma


@pytest.mark.parametrize("name", [name for name in NAMES if "eta" in SAMPLERS[name].accepts])
def test_eta_changes_the_picture(name: str) -> None:
    def with_eta(eta: float) -> Tensor:
        route = plan(SAMPLERS[name], SCHEDULES["Automatic"], 6, LEVELS)
        noise = ImageNoise((2, 8, 8), [4])
        return sample(route, bent, route.begin(noise.first()), noise, SamplerOptions(levels=LEVELS, eta=eta))

    assert not torch.allclose(with_eta(0.0), with_eta(0.7), atol=1e-3)


def test_cfgpp_renoises_along_the_negative_prompt() -> None:
    """One step of Euler CFG++ by hand: x' = D + (x - U) * sigma' / sigma."""

    class Split(GaussianOracle):
        uncond = torch.full((1, 1, 1, 1), 0.25)

    x = torch.full((1, 1, 1, 1), 3.0)
    end = SAMPLERS["Euler CFG++"].walk(
        Split(), x, torch.tensor([2.0, 1.0]), noise=still, on_step=unwatched, options=SamplerOptions(levels=LEVELS)
    )
    denoised = GaussianOracle()(x, torch.tensor([2.0]))
    torch.testing.assert_close(end, denoised + (x - 0.25) / 2)


def test_lcm_shows_the_network_its_fifty_timesteps_alone() -> None:
    seen: list[float] = []

    def note(x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        assert timestep is not None
        seen.extend(timestep.tolist())
        return bent(x, sigma)

    route = plan(SAMPLERS["LCM"], SCHEDULES["Automatic"], 6, LEVELS)
    noise = ImageNoise((2, 4, 4), [1])
    sample(route, note, route.begin(noise.first()), noise, SamplerOptions(levels=LEVELS))
    assert seen[0] == 999 and all(timestep % 20 == 19 for timestep in seen)


def test_options_are_values() -> None:
    options = SamplerOptions(levels=LEVELS)
    assert replace(options, eta=0.5).eta == 0.5 and options.eta == 1.0
