"""What one run walks, and which sampler a name and a request mean."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from modules.diffusion.levels import FlowLevels, NoiseLevels
from modules.diffusion.route import img2img_steps, plan, timesteps_of
from modules.diffusion.sampler import SAMPLERS, resolve, resolve_as_a1111, resolved_options
from modules.diffusion.schedule import ScheduleSettings
from modules.diffusion.schedules import SCHEDULES
from modules.terms.errors import BadRequest, NotFound

LEVELS = NoiseLevels.scaled_linear()
AUTOMATIC = SCHEDULES["Automatic"]


@pytest.mark.parametrize(
    ("steps", "strength", "exact", "length", "walked"),
    [
        (20, 1.0, False, 20, 19),
        (20, 0.75, False, 20, 15),
        (20, 0.5, False, 20, 10),
        (20, 0.3, False, 20, 6),
        (30, 0.7, False, 30, 21),
        (20, 0.0, False, 20, 0),
        (20, 1.0, True, 20, 19),
        (20, 0.75, True, 26, 19),
        (20, 0.5, True, 40, 19),
        (20, 0.3, True, 66, 19),
    ],
)
def test_steps_of_img2img(steps: int, strength: float, exact: bool, length: int, walked: int) -> None:
    assert img2img_steps(steps, strength, exact=exact) == (length, walked)
    route = plan(SAMPLERS["Euler"], AUTOMATIC, steps, LEVELS, strength=strength, exact_steps=exact)
    assert len(route.sigmas) - 1 == route.steps == walked + 1
    full = plan(SAMPLERS["Euler"], AUTOMATIC, length, LEVELS)
    torch.testing.assert_close(route.sigmas, full.sigmas[-len(route.sigmas) :])
    assert route.bounds == full.bounds


def test_no_strength_with_exact_steps_walks_nothing() -> None:
    for name in ("Euler", "DDIM", "UniPC", "LCM"):
        route = plan(SAMPLERS[name], AUTOMATIC, 20, LEVELS, strength=0.0, exact_steps=True)
        source = torch.full((1, 4, 8, 8), 0.5)
        assert torch.equal(route.begin(torch.ones(1, 4, 8, 8), source), source)


def test_second_order_samplers_plan_two_calls_a_step() -> None:
    assert plan(SAMPLERS["Heun"], AUTOMATIC, 20, LEVELS).total_calls == 40
    assert plan(SAMPLERS["Heun"], AUTOMATIC, 20, LEVELS, strength=0.5).total_calls == 22
    assert plan(SAMPLERS["Euler"], AUTOMATIC, 20, LEVELS).total_calls == 20


def test_automatic_is_the_samplers_own_schedule() -> None:
    assert plan(SAMPLERS["DPM++ 2M"], AUTOMATIC, 10, LEVELS).schedule == "Karras"
    assert plan(SAMPLERS["DPM++ 2M SDE"], AUTOMATIC, 10, LEVELS).schedule == "Exponential"
    assert plan(SAMPLERS["Euler"], AUTOMATIC, 10, LEVELS).schedule == "Automatic"
    assert plan(SAMPLERS["Euler"], SCHEDULES["Karras"], 10, LEVELS).schedule == "Karras"


def test_the_penultimate_level_is_left_out() -> None:
    karras = plan(SAMPLERS["Euler"], SCHEDULES["Karras"], 11, LEVELS).sigmas
    wanted = torch.cat([karras[:-2], karras[-1:]])
    always = ScheduleSettings(always_discard=True)
    for name, settings, recorded in (
        ("DPM2", None, {}),
        ("DPM2", always, {}),
        ("Euler", always, {"Discard penultimate sigma": True}),
    ):
        route = plan(SAMPLERS[name], SCHEDULES["Karras"], 10, LEVELS, settings=settings)
        assert torch.equal(route.sigmas, wanted) and route.recorded == recorded


def timesteps_in(sigmas: Tensor) -> list[int]:
    return LEVELS.nearest(sigmas).tolist()


def test_timesteps_of_ddim() -> None:
    assert timesteps_of(10).tolist() == [1, 101, 201, 301, 401, 501, 601, 701, 801, 901]
    assert [len(timesteps_of(steps)) for steps in (7, 15, 20, 30)] == [8, 16, 20, 31]
    assert timesteps_of(1000).max() == 999 and len(timesteps_of(5000)) == 1000


def test_the_timestep_family_walks_whole_timesteps() -> None:
    route = plan(SAMPLERS["DDIM"], SCHEDULES["Karras"], 5, LEVELS)
    assert timesteps_in(route.sigmas) == [801, 801, 601, 401, 201, 1]
    route = plan(SAMPLERS["DDIM"], AUTOMATIC, 5, LEVELS, strength=0.7)
    # Noised to timestep 3 of the list (601), but the walk begins one below: A1111 does that.
    assert timesteps_in(route.sigmas) == [601, 401, 201, 1] and route.steps == 4


def test_start_latents() -> None:
    noise, source = torch.full((1, 4, 2, 2), 2.0), torch.full((1, 4, 2, 2), 0.5)
    karras = plan(SAMPLERS["Euler"], SCHEDULES["Karras"], 10, LEVELS)
    assert float(karras.begin(noise)[0, 0, 0, 0]) == pytest.approx(2 * 14.6146, rel=1e-4)
    sgm = karras.begin(noise, sgm_noise=True)
    assert float(sgm[0, 0, 0, 0]) == pytest.approx(2 * math.sqrt(1 + 14.6146**2), rel=1e-4)
    half = plan(SAMPLERS["Euler"], SCHEDULES["Karras"], 10, LEVELS, strength=0.5)
    wanted = 0.5 + 2 * float(half.sigmas[0]) + 2 * 0.1
    assert float(half.begin(noise, source, extra_noise=0.1)[0, 0, 0, 0]) == pytest.approx(wanted)
    flow = plan(SAMPLERS["Euler"], AUTOMATIC, 10, FlowLevels.shifted())
    assert torch.equal(flow.begin(noise, sgm_noise=True), noise)


def test_dpm_fast_walks_between_the_models_bounds_but_starts_as_the_schedule_says() -> None:
    route = plan(SAMPLERS["DPM fast"], SCHEDULES["DDIM"], 10, LEVELS)
    assert len(route.sigmas) == 11 and route.start == pytest.approx(8.3907, abs=1e-3)
    assert float(route.sigmas[0]) == LEVELS.sigma_max and float(route.sigmas[-2]) == LEVELS.sigma_min


def test_ddim_cannot_walk_flow_models() -> None:
    with pytest.raises(BadRequest, match="Euler"):
        plan(SAMPLERS["DDIM"], AUTOMATIC, 10, FlowLevels.shifted())


def test_lcm_chooses_from_its_fifty_levels() -> None:
    route = plan(SAMPLERS["LCM"], AUTOMATIC, 4, LEVELS)
    ends = [LEVELS.sigma_max, float(LEVELS.sigmas[19])]
    assert route.sigmas[[0, -2]].tolist() == pytest.approx(ends, rel=1e-6)


@pytest.mark.parametrize(
    ("sampler", "schedule", "wanted"),
    [
        ("DPM++ 2M", "Karras", ("DPM++ 2M", "Automatic")),
        ("DPM++ 2M Karras", "", ("DPM++ 2M", "Automatic")),
        ("DPM++ 2M SDE Exponential", "Karras", ("DPM++ 2M SDE", "Automatic")),
        ("Euler a Karras", "", ("Euler a", "Karras")),
        ("Euler SGMUniform", "", ("Euler", "SGM Uniform")),
        ("dpm++ 2s a karras", "", ("DPM++ 2S a", "Automatic")),
        ("k_euler_a", "karras", ("Euler a", "Karras")),
        ("DDIM", "", ("DDIM", "Automatic")),
        ("DPM++ 2M CFG++", "sgm_uniform", ("DPM++ 2M CFG++", "SGM Uniform")),
        ("", "", ("Euler", "Automatic")),
    ],
)
def test_names_old_and_new(sampler: str, schedule: str, wanted: tuple[str, str]) -> None:
    found, chosen = resolve(sampler, schedule)
    assert (found.name, chosen.label) == wanted


def test_a_schedule_can_be_kept_explicit() -> None:
    assert resolve("DPM++ 2M Karras", convert_automatic=False)[1].label == "Karras"


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(NotFound, match="Euler a"):
        resolve("Eulre a")
    with pytest.raises(NotFound, match="Karras"):
        resolve("Euler", "Karas")


@pytest.mark.parametrize(
    ("sampler", "schedule", "wanted"),
    [
        ("k_euler_a", "", ("DPM++ 2M", "Automatic")),
        ("euler", "Exponential", ("DPM++ 2M", "Exponential")),
        ("DPM++ 2M SDE Exponential", "", ("DPM++ 2M SDE", "Automatic")),
        ("DPM++ 2M Karras", "Exponential", ("DPM++ 2M", "Automatic")),
        ("Euler a", "nonsense", ("Euler a", "Automatic")),
        ("Euler a", "karras", ("Euler a", "Karras")),
    ],
)
def test_names_as_a1111s_api_reads_them(sampler: str, schedule: str, wanted: tuple[str, str]) -> None:
    found, chosen = resolve_as_a1111(sampler, schedule)
    assert (found.name, chosen.label) == wanted


def test_eta_comes_from_the_request_before_the_setting() -> None:
    settings = {"eta_ancestral": 0.7, "eta_ddim": 0.2}
    for name, asked, eta, recorded in (
        ("Euler a", None, 0.7, {"Eta": 0.7}),
        ("Euler a", 1.0, 1.0, {}),
        ("Euler a", 0.5, 0.5, {"Eta": 0.5}),
        ("DDIM", None, 0.2, {"Eta DDIM": 0.2}),
        ("DDIM", 0.0, 0.0, {}),
        ("LCM", 0.5, 1.0, {}),
        ("TCD", None, 0.3, {}),
        ("TCD", 0.6, 0.6, {"Eta": 0.6}),
    ):
        options, entries = resolved_options(SAMPLERS[name], LEVELS, request={"eta": asked}, settings=settings)
        assert (options.eta, entries) == (eta, recorded), name


def test_sigma_settings_win_over_the_request_and_are_recorded() -> None:
    request: dict[str, float | None] = {"s_churn": 4.0, "s_tmin": 0.2, "s_tmax": 0.0, "s_noise": 1.02}
    options, entries = resolved_options(SAMPLERS["Euler"], LEVELS, request=request, settings={})
    assert (options.s_churn, options.s_tmin, options.s_tmax, options.s_noise) == (4.0, 0.2, math.inf, 1.02)
    assert entries == {}
    settings = {"s_churn": 8.0, "s_tmin": 0.0, "s_tmax": 5.0, "s_noise": 1.0}
    options, entries = resolved_options(SAMPLERS["Euler"], LEVELS, request=request, settings=settings)
    assert (options.s_churn, options.s_tmin, options.s_tmax, options.s_noise) == (8.0, 0.2, 5.0, 1.02)
    assert entries == {"Sigma churn": 8.0, "Sigma tmax": 5.0}


def test_samplers_ignore_what_they_do_not_take() -> None:
    request: dict[str, float | None] = {"s_churn": 4.0, "s_noise": 1.02, "eta": 0.5}
    options, entries = resolved_options(SAMPLERS["DPM++ 2M"], LEVELS, request=request, settings={"s_noise": 1.1})
    assert (options.s_churn, options.s_noise, options.eta, entries) == (0.0, 1.0, 1.0, {})
