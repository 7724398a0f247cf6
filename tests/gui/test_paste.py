"""The arrow button reads what A1111, Civitai and we write."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from modules.checkpoints.library import Library
from modules.generation.infotext import parse
from modules.generation.resources import LocalResources
from modules.gui import paste
from modules.gui.paste import OVERRIDES, filled, overrides, overrides_of, to_values
from modules.networks.library import NetworkLibrary
from modules.prompt.styles import StyleBook
from modules.settings.store import Settings
from modules.terms.errors import BadRequest
from tests.gui.stand_in import LISTS

CIVITAI = """masterpiece, 1girl, <lora:koreanDollLikeness_v10:0.5>, white hair
Negative prompt: paintings, sketches, (worst quality:2)
Steps: 28, ENSD: 31337, Size: 512x768, Seed: 1656460887, Model: chilloutmix, Sampler: DPM++ SDE Karras, \
CFG scale: 8, Clip skip: 2, Model hash: fc2511737a, Hires upscale: 2, Hires steps: 20, Hires upscaler: Latent, \
Denoising strength: 0.4"""


def values_of(text: str) -> dict:
    return to_values(parse(text), ["DPM++ SDE", "Euler a"], ["Automatic", "Karras"])


def test_a_copied_generation_fills_the_form() -> None:
    values = values_of(CIVITAI)
    assert values["prompt"].startswith("masterpiece, 1girl, <lora:")
    assert values["negative_prompt"] == "paintings, sketches, (worst quality:2)"
    expected = {"steps": 28, "seed": 1656460887, "width": 512, "height": 768, "cfg_scale": 8}
    assert {name: values[name] for name in expected} == expected
    assert (values["sampler"], values["scheduler"]) == ("DPM++ SDE", "Karras")
    assert values["hires"] is True
    assert (values["hires.scale"], values["hires.steps"], values["hires.upscaler"]) == (2, 20, "Latent")
    assert values["denoising_strength"] == 0.4
    assert (values["refiner"], values["extra"]) == (False, False)


def test_parts_named_in_the_text_are_switched_on() -> None:
    values = values_of(
        "x\nSteps: 20, Sampler: Euler a, Seed: 5, Size: 64x64, Variation seed: 9, Variation seed strength: 0.3, "
        "Refiner: other [abc], Refiner switch at: 0.6"
    )
    assert (values["extra"], values["subseed"], values["subseed_strength"]) == (True, 9, 0.3)
    assert (values["refiner"], values["refiner.checkpoint"], values["refiner.switch_at"]) == (True, "other [abc]", 0.6)
    assert values["hires"] is False


def test_same_as_in_the_first_pass_is_an_empty_choice() -> None:
    values = values_of(CIVITAI)
    assert [values[f"hires.{name}"] for name in ("sampler", "scheduler", "checkpoint")] == ["", "", ""]


def test_what_has_no_field_becomes_an_override_and_comes_back_as_a_setting() -> None:
    settings = Settings()
    entries = list(overrides(parse(CIVITAI), settings))
    assert "Clip skip: 2" in entries
    assert "ENSD: 31337" in entries
    assert not any(entry.startswith("Model") for entry in entries)
    found = overrides_of({OVERRIDES: entries}, settings)
    assert found["CLIP_stop_at_last_layers"] == 2
    assert found["eta_noise_seed_delta"] == 31337


def test_a_setting_that_is_so_already_is_no_override() -> None:
    entries = list(overrides(parse(CIVITAI), Settings().with_flat({"CLIP_stop_at_last_layers": 2})))
    assert "Clip skip: 2" not in entries


def test_an_override_that_nobody_knows_is_told() -> None:
    with pytest.raises(BadRequest, match="Clap skip"):
        overrides_of({OVERRIDES: ["Clap skip: 2"]}, Settings())


def studio(tmp_path, **flags) -> SimpleNamespace:
    return SimpleNamespace(
        settings=Settings(),
        styles=StyleBook(),
        resources=LocalResources(Library([]), NetworkLibrary([tmp_path]), NetworkLibrary([])),
        listing=lambda name: LISTS.get(name, []),
        flags=SimpleNamespace(data_dir=tmp_path, hide_ui_dir_config=False, **flags),
    )


def test_renamed_networks_are_found_and_what_is_missing_is_told(tmp_path) -> None:
    header = json.dumps({"__metadata__": {"sshs_model_hash": "a1b2c3d4e5f6" + "0" * 52}}).encode()
    (tmp_path / "mine.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    text = f'<lora:theirs:0.5> <lora:lost:1> {CIVITAI}, Lora hashes: "theirs: a1b2c3d4e5f6"'
    values, told = paste.pasted(studio(tmp_path), {"prompt": text, "steps": 1})
    assert values["prompt"].startswith("<lora:mine:0.5> <lora:lost:1> masterpiece")
    assert values["steps"] == 28
    assert sorted(line.split(" is not")[0] for line in told) == [
        "The LoRA 'koreanDollLikeness_v10'",
        "The LoRA 'lost'",
        "The checkpoint 'chilloutmix' (fc2511737a)",
    ]


def test_fields_that_the_text_does_not_name_stay(tmp_path) -> None:
    form = {"prompt": CIVITAI, "negative_prompt": "", "batch_size": 3, "steps": 1, "width": 1}
    assert filled(studio(tmp_path), CIVITAI, form)["batch_size"] == 3


def test_an_empty_prompt_means_the_last_picture(tmp_path) -> None:
    form = {"prompt": " ", "steps": 1}
    with pytest.raises(BadRequest, match="nothing to read"):
        paste.pasted(studio(tmp_path), form)
    (tmp_path / "params.txt").write_text(CIVITAI, encoding="utf-8")
    assert paste.pasted(studio(tmp_path), form)[0]["steps"] == 28


def test_the_order_of_the_fields_is_kept(tmp_path) -> None:
    form = {"seed": 0, "prompt": CIVITAI, "steps": 1}
    assert list(paste.pasted(studio(tmp_path), form)[0].values()) == [1656460887, values_of(CIVITAI)["prompt"], 28]


def test_fields_of_inpainting_are_read_and_without_them_are_as_at_first() -> None:
    said = "a hat\nSteps: 4, Mask blur: 9, Inpaint area: Only masked, Masked area padding: 12, Masked content: fill"
    values = to_values(parse(said), ["Euler"], ["Automatic"])
    expected = {"area": "Only masked", "blur": 9, "padding": 12, "fill": "fill", "mode": "Inpaint masked"}
    assert {name: values[f"mask.{name}"] for name in expected} == expected
    plain = to_values(parse("a hat\nSteps: 4"), ["Euler"], ["Automatic"])
    assert (plain["mask.area"], plain["mask.fill"], plain["mask.padding"]) == ("Whole picture", "original", 32)
    assert "mask.blur" not in plain
