"""Every setting changes something, or the Settings tab says that it does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modules.settings.idle import IDLE
from modules.settings.store import Settings

ROOT = Path(__file__).resolve().parents[2]
# Read by a name that is put together: f"{prefix}_tile", f"extra_options_{tab}".
COMPOSED = re.compile(
    r"\w+_tile(_overlap)?|hypertile_\w+_(unet|vae)|extra_options_(txt2img|img2img)|(txt2img|img2img)_settings_accordion"
)


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Every word of the program outside of where settings are declared."""
    files = [
        *ROOT.glob("modules/**/*.py"),
        *ROOT.glob("modules/**/*.js"),
        *ROOT.glob("scripts/*.py"),
        ROOT / "webui.py",
    ]
    read = [file for file in files if "settings" not in file.relative_to(ROOT).parts[:2]]
    return {word for file in read for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))}


def test_a_setting_is_read_or_said_to_be_idle(words: set[str]) -> None:
    unread = [key for key in Settings().catalogue if key not in words and not COMPOSED.fullmatch(key)]
    assert sorted(set(unread) - IDLE) == []


def test_what_is_said_to_be_idle_is_declared_and_read_by_nobody(words: set[str]) -> None:
    assert sorted(IDLE - set(Settings().catalogue)) == []
    assert sorted(IDLE & words) == []
