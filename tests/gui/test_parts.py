"""Details, soft inpainting, the Batch mode and the upscale button: what the fields say becomes the request."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from modules.generation.always_on import Outpainting, SoftInpainting, entries_of
from modules.generation.detail_texts import entries
from modules.generation.infotext import parse, write
from modules.gui.batch_mode import FILES, to_picture_batch
from modules.gui.detail_part import describe
from modules.gui.img2img_request import to_img2img_request
from modules.gui.part_values import script_args, with_units
from modules.gui.paste import to_values
from modules.gui.request import to_request
from modules.gui.restored import values_of
from modules.gui.upscale_button import CHOICE, upscale_request
from modules.settings.store import Settings
from modules.studio.flags import parse_flags
from modules.terms.declare import params_of
from modules.terms.detail import DetailPass, DetailUnit
from modules.terms.errors import BadRequest, Refused
from tests.gui.serving import app_of
from tests.gui.stand_in import LISTS, StandIn

FORM: dict[str, Any] = {"prompt": "a boat", "sampler": "Euler", "steps": 3, "width": 64, "height": 64, "seed": 5}


def details(*units: dict[str, Any]) -> dict[str, Any]:
    """The form with the switch of details on, and `units` in its panel."""
    return {**FORM, "detail": True, "detail.units": {"units": list(units)}}


def test_units_without_a_detector_and_a_closed_accordion_ask_for_nothing() -> None:
    first = {"model": "face", "prompt": "a face", "steps": 7.0, "width": None}
    values = details(first, {"model": "None", "prompt": "left out"})
    assert to_request(values).detail == DetailPass((DetailUnit(prompt="a face", steps=7),))
    assert to_request({**values, "detail": False}).detail is None
    assert to_request(details({**first, "model": "None"})).detail is None
    skipped = to_request({**values, "detail.skip": True}).detail
    assert skipped is not None
    assert skipped.skip_img2img


@pytest.mark.parametrize("value", [None, {}, {"units": None}, {"units": ["x"]}])
def test_a_panel_that_was_never_opened_looks_for_faces(value: Any) -> None:
    assert to_request({**FORM, "detail": True, "detail.units": value}).detail == DetailPass((DetailUnit(),))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"confidence": 9}, "between 0 and 1"),
        ({"confidence": "much"}, "a number"),
        ({"width": 20}, "at least 64"),
        ({"height": "wide"}, "wide"),
        ({"height": "inf"}, "inf"),
        ({"merge": "Bland"}, "Merge and Invert"),
        ({"min_ratio": 0.8, "max_ratio": 0.2}, "nothing is in between"),
    ],
)
def test_what_a_unit_cannot_be_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        to_request(details(changes))


def test_fields_of_an_older_page_become_units() -> None:
    old = {"detail": True, "detail.skip": True, "detail.0.prompt": "a face", "detail.0.height": " 96", "steps": 9}
    old |= {"detail.1.model": "person", "detail.1.cfg_scale": "5.5", "detail.0.width": ""}
    new = with_units(old)
    assert sorted(new) == ["detail", "detail.skip", "detail.units", "steps"]
    units = (DetailUnit(prompt="a face", height=96), DetailUnit(model="person", cfg_scale=5.5))
    assert to_request({**FORM, **new}).detail == DetailPass(units, skip_img2img=True)
    assert with_units(new) == new
    assert with_units({"steps": 9}) == {"steps": 9}


def test_drafts_and_presets_of_an_older_page_come_back_as_units(tmp_path: Path) -> None:
    studio = StandIn(tmp_path)
    with TestClient(app_of(studio), base_url="http://127.0.0.1:7860") as client:
        old = {"detail": True, "detail.0.prompt": "a face"}
        client.post("/internal/gui/drafts/txt2img", json={"saved": 1, "values": old})
        client.post("/internal/gui/presets/txt2img", json={"name": "old", "values": old})
        draft = client.get("/internal/gui/drafts").json()["txt2img"]["values"]
        preset = client.get("/internal/gui/presets/txt2img", params={"name": "old"}).json()
    studio.jobs.close()
    assert draft == preset == with_units(old)
    assert draft["detail.units"]["units"][0]["prompt"] == "a face"


def no_picture(picture: object) -> dict[str, object]:
    raise AssertionError(f"{picture} is in no canvas of this form")


def test_a_job_with_details_goes_back_into_the_form(tmp_path: Path) -> None:
    asked = to_request({**details({"prompt": "a smile", "steps": 4}), "detail.skip": True})
    found = values_of(asked, Settings(), no_picture)
    assert to_request({**FORM, **found}).detail == asked.detail
    assert values_of(to_request(FORM), Settings(), no_picture)["detail"] is False


def test_the_panel_is_described_in_words_and_choices() -> None:
    told = describe(lambda name: LISTS.get(name, []), "zh-CN")
    shown = [name for row in (*told["rows"], *told["more"]) for name in row]
    assert sorted(shown) == sorted(told["fields"]) == sorted(params_of(DetailUnit))
    assert told["fields"]["prompt"]["help"]
    assert told["fields"]["model"]["control"]["choices"] == [["None", "无"], ["face", "face"], ["person", "person"]]
    assert [value for value, _ in told["fields"]["sampler"]["control"]["choices"]] == ["", *LISTS["samplers"]]
    assert told["fields"]["width"]["control"]["optional"] is True
    for number, unit in enumerate(told["fresh"]):
        for name, value in unit.items():
            control = told["fields"][name]["control"]
            offered = [one for one, _ in control.get("choices", [])]
            assert not offered or value in offered, f"{name} of unit {number}"


def test_a_text_with_three_units_fills_three() -> None:
    units = tuple(DetailUnit(prompt=word) for word in ("one", "two", "three"))
    found = to_values(parse(write("a", "", {"Steps": 3, **entries(units)})), [], [])
    assert to_request({**FORM, **found}).detail == DetailPass(units)


def test_a_text_fills_the_accordions_and_they_ask_for_the_same_again() -> None:
    units = (DetailUnit(prompt="a, b [SEP] c", steps=9, most=2), DetailUnit(model="person", denoising_strength=0.25))
    soft = SoftInpainting(True, 2.0, 0.25, 8.0, 0.5, 1.0, 4.0)
    told = {"Steps": 3, "Sampler": "Euler", "Seed": 5, **entries(units), **entries_of(soft)}
    found = to_values(parse(write("a boat", "", told)), ["Euler"], ["Automatic"])
    assert (found["detail"], found["soft"]) == (True, True)
    assert to_request({**FORM, **found}).detail == DetailPass(units)
    assert script_args({**FORM, **found})["Soft Inpainting"] == astuple(soft)
    none = to_values(parse(write("a boat", "", {"Steps": 3, "Sampler": "Euler", "Seed": 5})), ["Euler"], ["Automatic"])
    assert (none["detail"], none["soft"]) == (False, False)


def test_soft_inpainting_goes_with_a_mask_only(tmp_path: Path) -> None:
    files = {}
    for name, mode in (("picture", "RGB"), ("mask", "L")):
        Image.new(mode, (64, 64), 255 if mode == "L" else "red").save(tmp_path / f"{name}.png")
        files[name] = {"image": {"path": str(tmp_path / f"{name}.png")}, "paint": None}
    values = {**FORM, "soft": True, "soft.schedule_bias": 2, "image": files["picture"]}
    values |= {"inpaint_base": files["picture"], "inpaint_mask": files["mask"]}
    assert to_img2img_request({**values, "mode": "img2img"}).scripts == {}
    asked = to_img2img_request({**values, "mode": "inpaint_upload"})
    assert asked.scripts["Soft Inpainting"][:2] == (True, 2)
    assert to_img2img_request({**values, "mode": "inpaint_upload", "soft": False}).scripts == {}


def test_outpainting_goes_with_any_picture(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    picture = {"image": {"path": str(tmp_path / "a.png")}, "paint": None}
    values = {**FORM, "image": picture, "mode": "img2img", "outpaint": True, "outpaint.left": 64.0}
    asked = to_img2img_request({**values, "outpaint.content": "fill"})
    assert asked.scripts == {"Outpaint": (True, 64, 0, 0, 0, 32, "fill")}
    told = parse(write("a", "", {"Steps": 3, "Sampler": "Euler", "Seed": 5, **entries_of(Outpainting(True, up=16))}))
    found = to_values(told, ["Euler"], ["Automatic"])
    assert (found["outpaint"], found["outpaint.up"], found["outpaint.left"]) == (True, 16, 0)


def studio_of(tmp_path: Path, *flags: str) -> Any:
    return SimpleNamespace(flags=parse_flags(["--data-dir", str(tmp_path), *flags], environ={}))


def test_uploaded_pictures_become_a_batch(tmp_path: Path) -> None:
    paths = []
    for name in ("b", "a"):
        Image.new("RGB", (32, 16), "red").save(tmp_path / f"{name}.png")
        paths.append(str(tmp_path / f"{name}.png"))
    values = {**FORM, FILES: paths, "batch.source": "upload", "batch.folder": "/elsewhere", "resize_tab": "by"}
    values |= {"scale_by": 2, "denoising_strength": 0.3, "batch.use_info": True, "batch.info_properties": ["Prompt"]}
    batch = to_picture_batch(studio_of(tmp_path), values)
    assert [picture.name for picture in batch.pictures] == ["b", "a"]
    assert (batch.folder, batch.scale_by, batch.request.denoising_strength) == ("", 2.0, 0.3)
    assert (batch.use_info, batch.info_properties, batch.mask) == (True, ("Prompt",), None)
    with pytest.raises(BadRequest, match="no picture"):
        to_picture_batch(studio_of(tmp_path), {**values, FILES: None})


def test_folders_are_named_with_their_masks(tmp_path: Path) -> None:
    values = {**FORM, "batch.source": "folder", "batch.folder": f" {tmp_path} ", "batch.mask_folder": "masks"}
    values |= {"mask.blur": 9, "mask.fill": "latent noise", "resize_tab": "to"}
    batch = to_picture_batch(studio_of(tmp_path), values)
    assert (batch.folder, batch.mask_folder, batch.scale_by) == (str(tmp_path), "masks", 0.0)
    assert batch.mask is not None
    assert (batch.mask.blur_x, batch.mask.fill) == (9, 2)
    with pytest.raises(BadRequest, match="Name the folder"):
        to_picture_batch(studio_of(tmp_path), {**values, "batch.folder": ""})
    with pytest.raises(Refused, match="upload the pictures"):
        to_picture_batch(studio_of(tmp_path, "--hide-ui-dir-config"), values)


def test_the_upscale_button_draws_over_the_chosen_picture(tmp_path: Path) -> None:
    studio = StandIn(tmp_path)
    try:
        job = studio.submit(to_request({**FORM, "n_iter": 2}))
        assert studio.jobs.wait(job.id, 20)
        values = {
            **FORM,
            "seed": 1,
            "n_iter": 2,
            "hires.scale": 2,
            "hires.upscaler": "Lanczos",
            "denoising_strength": 0.4,
        }
        asked = upscale_request(studio, {**values, CHOICE: f'{{"id": "{job.id}", "index": 1}}'})
        assert asked.hires is not None
        assert asked.hires.picture is not None
        assert (asked.hires.upscaler, asked.hires.picture.size) == ("Lanczos", (64, 64))
        assert (asked.seed, asked.n_iter, asked.denoising_strength) == (6, 1, 0.4)
        with pytest.raises(BadRequest):
            upscale_request(studio, {**values, CHOICE: '{"id": "gone", "index": 0}'})
    finally:
        studio.jobs.close()
