"""Settings are read like a mapping, changed by copies, and survive their file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.settings.sections import SETTINGS
from modules.settings.setting import Section, section, setting
from modules.settings.store import Locks, Settings, migrated
from modules.terms.errors import BadRequest, NotFound, Refused


def test_reading_gives_what_was_set_or_the_default() -> None:
    settings = Settings().with_flat({"samples_format": "webp"})
    assert settings["samples_format"] == "webp"
    assert settings["jpeg_quality"] == 80
    assert Settings()["samples_format"] == "png"
    assert settings.get("no such thing") is None
    assert len(settings) == len(SETTINGS)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("s_min_uncond", "2", 2.0),
        ("uni_pc_order", "2", 2),
        ("CLIP_stop_at_last_layers", "2.0", 2),
        ("uni_pc_lower_order_final", "False", False),
        ("sgm_noise_multiplier", "True", True),
        ("face_restoration", "CodeFormer", True),
        ("quicksettings_list", "sd_vae, tiling", ("sd_vae", "tiling")),
        ("ui_tab_order", '["txt2img"]', ("txt2img",)),
        ("sd_model_checkpoint", "some.safetensors", "some.safetensors"),
    ],
)
def test_text_becomes_the_type_of_the_setting(key, text, value) -> None:
    kept = Settings().with_flat({key: text})[key]
    assert kept == value
    assert type(kept) is type(value)


def test_numbers_stay_as_they_were_given() -> None:
    # Infotext of A1111 writes "NGMS: 3" for 3 and "NGMS: 3.0" for 3.0.
    assert repr(Settings().with_flat({"s_min_uncond": 3})["s_min_uncond"]) == "3"
    assert repr(Settings().with_flat({"s_min_uncond": 3.0})["s_min_uncond"]) == "3.0"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("emphasis", "Loud"),
        ("s_churn", "much"),
        ("s_churn", None),
        ("s_churn", float("nan")),
        ("s_churn", 10**400),
        ("sigma_max", "inf"),
        ("sigma_min", -1),
        ("outdir_samples", "a\0b"),
        ("tiling", [1]),
        ("samples_format", {"a": 1}),
        ("uni_pc_order", 2.5),
        ("profiling_activities", ["GPU"]),
    ],
)
def test_a_wrong_value_is_refused_by_name(key, value) -> None:
    if key == "uni_pc_order":
        assert Settings().with_flat({key: value})[key] == 2.5  # sliders of the page do not bind requests
        return
    with pytest.raises(BadRequest, match=key):
        Settings().with_flat({key: value})


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(NotFound, match="'token_merging_ratio'"):
        Settings().with_flat({"token_mergin_ratio": 0.5})


def test_a_copy_leaves_the_original_alone() -> None:
    before = Settings()
    after = before.with_flat({"s_churn": 2.0, "tiling": False})
    assert before["s_churn"] == 0.0
    assert after.changed_since(before) == ["s_churn"]


@pytest.mark.parametrize(
    ("locks", "key", "value", "flag"),
    [
        (Locks(everything=True), "s_churn", 1.0, "--freeze-settings"),
        (Locks(sections=frozenset({"sampler-params"})), "s_churn", 1.0, "--freeze-settings-in-sections"),
        (Locks(keys=frozenset({"s_churn"})), "s_churn", 1.0, "--freeze-specific-settings"),
        (Locks(locations=True), "outdir_samples", "/etc", "--hide-ui-dir-config"),
        (Locks(strangers=True), "outdir_samples", "/etc", "--gradio-auth"),
        (Locks(strangers=True), "disable_all_extensions", "all", "--gradio-auth"),
        (Locks(strangers=True), "disabled_extensions", ["one"], "--gradio-auth"),
        (Locks(strangers=True), "api_forbid_local_requests", False, "--gradio-auth"),
    ],
)
def test_locked_settings_are_refused(locks, key, value, flag) -> None:
    settings = Settings(locks=locks)
    with pytest.raises(Refused, match=flag):
        settings.with_flat({key: value})
    assert settings.with_flat({key: settings[key]}) == settings  # sending back what was read is no change


def test_locks_leave_the_others_free() -> None:
    for locks in (Locks(keys=frozenset({"s_churn"})), Locks(locations=True, strangers=True)):
        assert Settings(locks=locks).with_flat({"s_tmin": 1.0})["s_tmin"] == 1.0


def test_the_api_cannot_loosen_its_own_guard() -> None:
    changed = Settings().with_flat({"api_forbid_local_requests": False, "s_churn": 1.0}, from_api=True)
    assert changed["api_forbid_local_requests"] is True
    assert changed["s_churn"] == 1.0
    assert Settings().with_flat({"api_forbid_local_requests": False})["api_forbid_local_requests"] is False


def test_saving_writes_everything_as_a1111_does(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    Settings().with_flat({"font": "字体.ttf"}).save(path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert set(stored) == set(SETTINGS)
    assert stored["quicksettings_list"] == ["sd_model_checkpoint"]
    assert "字体" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_entries_are_kept_verbatim(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    strange = {"control_net_unit_count": 3, "nested": {"a": [1, {"b": None}]}, "samples_format": "jpg"}
    path.write_text(json.dumps(strange), encoding="utf-8")
    settings = Settings.load(path)
    assert settings["control_net_unit_count"] == 3
    settings.with_flat({"s_churn": 1}).save(path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert {key: stored[key] for key in strange} == strange


def test_an_entry_of_the_wrong_kind_is_noted_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"s_churn": "lots", "s_tmin": 0.5}), encoding="utf-8")
    settings = Settings.load(path)
    assert (settings["s_churn"], settings["s_tmin"]) == (0.0, 0.5)
    assert "s_churn" in settings.notes[0]
    settings.save(path)
    assert json.loads(path.read_text(encoding="utf-8"))["s_churn"] == "lots"
    assert settings.with_flat({"s_churn": 2.0})["s_churn"] == 2.0


@pytest.mark.parametrize("content", ["{not json", "", "[1, 2]", "\x00\x01"])
def test_a_broken_file_is_moved_aside(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    for _ in range(2):
        path.write_text(content, encoding="utf-8")
        settings = Settings.load(path)
        assert settings["samples_format"] == "png"
        assert "config.json" in settings.notes[0]
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 2
    assert all(one.read_text(encoding="utf-8") == content for one in kept)


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert Settings.load(tmp_path / "none.json") == Settings()


def test_old_names_are_migrated() -> None:
    assert migrated({"sd_vae_as_default": False}) == {"sd_vae_overrides_per_model_preferences": True}
    assert migrated({"quicksettings": "a, b"}) == {"quicksettings_list": ["a", "b"]}
    assert migrated({"ui_reorder": "x,,y"}) == {"ui_reorder_list": ["x", "y"]}
    assert migrated({"quicksettings": "a", "quicksettings_list": ["c"]}) == {"quicksettings_list": ["c"]}


def test_values_wait_for_the_extension_that_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"my_key": "7"}), encoding="utf-8")
    settings = Settings.load(path)
    mine = section(Section("mine", "Mine"), setting("my_key", "My label", 3))
    larger = settings.with_catalogue(SETTINGS.extended(mine))
    assert larger["my_key"] == 7
    assert larger.with_catalogue(SETTINGS)["my_key"] == 7


numbers = [key for key, one in SETTINGS.items() if type(one.default) in (int, float)]
switches = [key for key, one in SETTINGS.items() if type(one.default) is bool]
texts = [key for key, one in SETTINGS.items() if type(one.control).__name__ == "Text"]


@given(
    st.dictionaries(st.sampled_from(numbers), st.integers(-1000, 1000)),
    st.dictionaries(st.sampled_from(switches), st.booleans()),
    st.dictionaries(st.sampled_from(texts), st.text()),
)
def test_what_is_saved_is_what_is_loaded(tmp_path_factory, first, second, third) -> None:
    path = tmp_path_factory.mktemp("settings") / "config.json"
    first = {key: number for key, number in first.items() if SETTINGS[key].control.check(number) is None}
    third = {key: text.encode("utf-8", "ignore").decode().replace("\0", "") for key, text in third.items()}
    settings = Settings().with_flat({**first, **second, **third})
    settings.save(path)
    loaded = Settings.load(path)
    assert loaded.as_json() == settings.as_json()
    assert loaded.notes == ()
