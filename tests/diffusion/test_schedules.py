"""Noise levels that schedules choose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from modules.diffusion.levels import NoiseLevels
from modules.diffusion.schedule import ScheduleSettings, sigmas_for
from modules.diffusion.schedules import SCHEDULES

LEVELS = NoiseLevels.scaled_linear()
PLAIN = ScheduleSettings()


def test_tables_of_the_reference(parity: Path) -> None:
    tables = json.loads((parity / "texts" / "sigmas.json").read_text())["schedulers"]
    assert len(tables) == 12
    for table in tables.values():
        for steps, wanted in table.items():
            if steps != "label":
                sigmas, _ = sigmas_for(SCHEDULES[table["label"]], int(steps), LEVELS, PLAIN)
                torch.testing.assert_close(sigmas, torch.tensor(wanted), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("Karras", "14.6146 9.1029 5.4784 3.1686 1.7494 0.9141 0.4469 0.2014 0.0819 0.0292 0"),
        ("Exponential", "14.6146 7.3249 3.6712 1.8400 0.9222 0.4622 0.2317 0.1161 0.0582 0.0292 0"),
        ("SGM Uniform", "14.6146 8.3072 5.0924 3.3251 2.2797 1.6156 1.1629 0.8319 0.5712 0.3437 0"),
        ("KL Optimal", "14.6146 4.5650 2.6329 1.7864 1.2948 0.9616 0.7116 0.5094 0.3356 0.1783 0.0292"),
        ("Beta", "14.6146 13.9278 12.4910 10.5976 8.4424 6.2014 4.0462 2.1528 0.7160 0.0292 0"),
        ("Align Your Steps", "14.6150 6.1135 3.5651 2.3939 1.6500 1.1358 0.7425 0.4450 0.1692 0.0290 0"),
        ("Turbo", "14.6146 8.3028 5.0878 3.3211 2.2765 1.6129 1.1606 0.8299 0.5693 0.3417 0"),
    ],
)
def test_ten_steps_of_stable_diffusion(label: str, wanted: str) -> None:
    sigmas, _ = sigmas_for(SCHEDULES[label], 10, LEVELS, PLAIN)
    torch.testing.assert_close(sigmas, torch.tensor([float(one) for one in wanted.split()]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("label", SCHEDULES.names)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 33, 150])
def test_every_schedule_falls_from_noise_to_nothing(label: str, steps: int) -> None:
    sigmas, _ = sigmas_for(SCHEDULES[label], steps, LEVELS, PLAIN)
    assert sigmas.dtype == torch.float32 and sigmas.device.type == "cpu"
    assert len(sigmas) == steps + 1 or label == "DDIM"
    assert bool((sigmas.diff() <= 0).all()) and float(sigmas[0]) <= 14.6151
    assert float(sigmas[-1]) == (pytest.approx(LEVELS.sigma_min) if label == "KL Optimal" else 0)


def test_ddim_is_longer_where_its_division_rounds() -> None:
    assert [len(sigmas_for(SCHEDULES["DDIM"], steps, LEVELS, PLAIN)[0]) for steps in (10, 15, 30)] == [11, 17, 32]


def test_aligned_tables_are_met_at_their_own_length() -> None:
    for label, steps, last in (("Align Your Steps 11", 11, 0.029), ("Align Your Steps 32", 32, 0.015)):
        for table in ("sd1", "sdxl"):
            sigmas, _ = sigmas_for(SCHEDULES[label], steps, LEVELS, ScheduleSettings(table=table))
            assert float(sigmas[0]) == pytest.approx(14.615) and float(sigmas[-2]) == pytest.approx(last)
    sdxl, _ = sigmas_for(SCHEDULES["Align Your Steps GITS"], 11, LEVELS, ScheduleSettings(table="sdxl"))
    assert float(sdxl[1]) == pytest.approx(4.734)


def test_linear_quadratic_bends_without_a_kink() -> None:
    sigmas, _ = sigmas_for(SCHEDULES["Linear-quadratic"], 40, LEVELS, PLAIN)
    done = 1 - sigmas.double() / LEVELS.sigma_max
    torch.testing.assert_close(done[:21], torch.arange(21) * (0.025 / 20), rtol=0, atol=1e-6, check_dtype=False)
    assert float(done[-1]) == 1 and float(done.diff().diff().min()) > -1e-6


def test_bounds_and_rho_are_bent_and_recorded() -> None:
    settings = ScheduleSettings(sigma_min=0.1, sigma_max=10.0, rho=5.0)
    sigmas, recorded = sigmas_for(SCHEDULES["Karras"], 10, LEVELS, settings)
    assert (float(sigmas[0]), float(sigmas[-2])) == pytest.approx((10.0, 0.1), rel=1e-5)
    assert recorded == {"Schedule min sigma": 0.1, "Schedule max sigma": 10.0, "Schedule rho": 5.0}


def test_values_that_change_nothing_are_not_recorded() -> None:
    settings = ScheduleSettings(sigma_min=LEVELS.sigma_min, sigma_max=0.0, rho=7.0)
    assert sigmas_for(SCHEDULES["Karras"], 10, LEVELS, settings)[1] == {}
    assert sigmas_for(SCHEDULES["Exponential"], 10, LEVELS, ScheduleSettings(rho=5.0))[1] == {}


def test_automatic_is_the_models_own_levels_whatever_the_bounds() -> None:
    bent = ScheduleSettings(sigma_max=3.0, old_karras_sigmas=True)
    automatic, recorded = sigmas_for(SCHEDULES["Automatic"], 10, LEVELS, bent)
    uniform, _ = sigmas_for(SCHEDULES["Uniform"], 10, LEVELS, PLAIN)
    assert torch.equal(automatic, uniform) and recorded == {}


def test_old_karras_bounds() -> None:
    sigmas, recorded = sigmas_for(SCHEDULES["Karras"], 10, LEVELS, ScheduleSettings(old_karras_sigmas=True))
    assert (float(sigmas[0]), float(sigmas[-2])) == pytest.approx((10.0, 0.1), rel=1e-5)
    assert recorded == {}


def test_beta_records_its_shape() -> None:
    settings = ScheduleSettings(beta_alpha=0.8, beta_beta=0.3)
    sigmas, recorded = sigmas_for(SCHEDULES["Beta"], 10, LEVELS, settings)
    assert recorded == {"Beta schedule alpha": 0.8, "Beta schedule beta": 0.3}
    assert not torch.equal(sigmas, sigmas_for(SCHEDULES["Beta"], 10, LEVELS, PLAIN)[0])
