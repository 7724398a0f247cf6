"""LoRAs for another kind of checkpoint than the chosen one are left out, as the settings say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modules.settings.store import Settings
from modules.studio.lora_versions import fitting, version_of

BUILT_IN = Path(__file__).resolve().parents[2] / "models/Stable-diffusion/atelier-mini.safetensors"


def with_checkpoint(**settings: Any) -> Any:
    """A studio whose chosen checkpoint is the built-in one, an SD 1.x."""
    if not BUILT_IN.is_file():
        pytest.skip("the built-in model is not in this clone")
    library = SimpleNamespace(find_or_first=lambda name: (SimpleNamespace(path=BUILT_IN), ""))
    return SimpleNamespace(library=library, settings=Settings().with_flat(settings))


@pytest.mark.parametrize(
    ("base", "version"),
    [
        ("sd_v1", "SD1"),
        ("sdxl_base_v1-0", "SDXL"),
        ("stable-diffusion-xl-v1-base/lora", "SDXL"),
        ("sd_v2_768_v", "SD2"),
        ("SD 1.x", "SD1"),
        ("SDXL", "SDXL"),
        ("sd3_m", "SD3"),
        ("flux1", "FLUX"),
        ("my own", ""),
        ("", ""),
    ],
)
def test_what_a_file_says_names_a_version(base: str, version: str) -> None:
    assert version_of(base) == version


def test_those_for_others_are_left_out() -> None:
    fits = fitting(with_checkpoint())
    assert [fits(base) for base in ("sd_v1", "sdxl_base_v1-0", "flux1", "")] == [True, False, False, True]


def test_all_are_shown_on_request() -> None:
    fits = fitting(with_checkpoint(lora_show_all=True))
    assert fits("sdxl_base_v1-0")


def test_those_that_say_nothing_are_left_out_on_request() -> None:
    fits = fitting(with_checkpoint(lora_hide_unknown_for_versions=["SD1"]))
    assert [fits("sd_v1"), fits("")] == [True, False]
    assert fitting(with_checkpoint(lora_hide_unknown_for_versions=["SDXL"]))("")
