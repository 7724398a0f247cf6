"""What the Settings tab is told of each setting."""

from __future__ import annotations

from pathlib import Path

from modules.gui.listing import listing_of
from modules.gui.settings_tab import describe
from modules.settings.idle import IDLE
from tests.gui.stand_in import StandIn


def test_settings_without_effect_say_so(tmp_path: Path) -> None:
    studio = StandIn(tmp_path)
    told = [one for page in describe(studio, studio.listing, "zh-CN")["pages"] for one in page["settings"]]
    studio.jobs.close()
    idle = {one["key"] for one in told if one["idle"]}
    assert idle <= IDLE
    assert {"hypertile_max_depth_vae", "pin_memory"} <= idle
    assert not next(one["idle"] for one in told if one["key"] == "samplers_in_dropdown")


def test_every_page_has_an_id_of_its_own(tmp_path: Path) -> None:
    studio = StandIn(tmp_path)
    ids = {page["label"]: page["id"] for page in describe(studio, studio.listing, "en")["pages"]}
    studio.jobs.close()
    assert len(set(ids.values())) == len(ids)
    assert ids["User interface"] == "ui"


def test_a_list_of_settings_says_their_labels_beside_their_keys(tmp_path: Path) -> None:
    studio = StandIn(tmp_path)
    told = describe(studio, listing_of(studio), "zh-CN")["pages"]
    studio.jobs.close()
    (quick,) = (one for page in told for one in page["settings"] if one["key"] == "quicksettings_list")
    assert ["samples_save", "始终保存所有生成的图片 (samples_save)"] in quick["control"]["choices"]
