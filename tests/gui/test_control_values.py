"""The ControlNet panel's value becomes units, pasted text becomes its value, and its words are all there."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from modules.control.preprocessors import PREPROCESSORS
from modules.gui import i18n
from modules.gui.control_panel import describe
from modules.gui.control_values import map_of, pasted, units_of
from modules.gui.request import to_request
from modules.gui.routes import STATIC
from modules.studio.control_lists import control_types
from modules.terms.control import CONTROL_FIRST, CONTROL_MODES, HIRES_OPTIONS, RESIZE_MODES
from modules.terms.errors import BadRequest
from tests.gui.serving import app_of
from tests.gui.stand_in import StandIn, gradient

UNIT = {"enabled": True, "module": "canny", "model": "net [12345678]", "weight": 1, "preview": True, "type": "Canny"}


@pytest.fixture
def picture(tmp_path: Path) -> dict:
    """What a canvas holds: a picture, of which the left half is painted."""
    gradient(128, 64, 3, 1.0).save(tmp_path / "picture.png")
    paint = Image.new("RGBA", (128, 64))
    paint.paste((255, 255, 255, 255), (0, 0, 64, 64))
    paint.save(tmp_path / "paint.png")
    return {"image": {"path": str(tmp_path / "picture.png")}, "paint": {"path": str(tmp_path / "paint.png")}}


def test_units_that_are_on_are_asked_for(picture: dict) -> None:
    value = {"units": [{**UNIT, "enabled": False}, {**UNIT, "image": picture, "control_mode": CONTROL_FIRST}]}
    (unit,) = to_request({"prompt": "a", "controls": value}).controls
    assert (unit.module, unit.model, unit.weight, unit.control_mode) == ("canny", "net [12345678]", 1, CONTROL_FIRST)
    assert unit.image is not None and unit.mask is not None
    assert np.asarray(unit.mask)[:, :64].min() == 255
    assert np.asarray(unit.mask)[:, 64:].max() == 0
    for nothing in (None, {}, {"units": None}, {"units": ["x"]}):
        assert to_request({"prompt": "a", "controls": nothing}).controls == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "None"}, "has no model"),
        ({"module": "openpose"}, "does not have yet"),
        ({"weight": 9}, "between 0 and 2"),
        ({"weight": "much"}, "a number"),
        ({"control_mode": "Bland"}, "Balanced"),
    ],
)
def test_what_a_unit_lacks_is_named(changes: dict, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        units_of({"units": [{**UNIT, **changes}]})


def test_a_reference_needs_no_model() -> None:
    (unit,) = units_of({"units": [{**UNIT, "module": "reference_only", "model": "None"}]})
    assert unit.module == "reference_only"


def test_pasted_units_are_on_and_keep_their_pictures(picture: dict) -> None:
    text = "Module: depth_midas, Model: other [87654321], Weight: 0.5, Processor Res: 768, Control Mode: Balanced"
    before = {"units": [{**UNIT, "image": picture}, {**UNIT, "image": picture}]}
    after = pasted({"ControlNet 1": text}, before)["units"]
    assert [one["enabled"] for one in after] == [False, True]
    assert after[1]["image"] == picture
    assert {"module": "depth", "model": "other [87654321]", "weight": 0.5, "processor_res": 768}.items() <= after[
        1
    ].items()
    assert [one["enabled"] for one in pasted({"ControlNet 1": text}, None)["units"]] == [False, True]
    assert pasted({"Steps": "20"}, None) is None
    assert pasted({"Steps": "20"}, before)["units"][0]["enabled"] is False


def test_a_map_is_made_as_large_as_the_drawing_needs(picture: dict) -> None:
    def made(**changes: object) -> Image.Image:
        alone = {"image": picture["image"]}
        return Image.open(io.BytesIO(map_of({**UNIT, "image": alone, **changes}, (256, 128), None)))

    assert made(processor_res=64).size == (128, 64)
    assert made(pixel_perfect=True).size == (256, 128)
    assert made(module="inpaint_only", image=picture).mode == "RGBA"
    with pytest.raises(BadRequest, match="Drop a picture"):
        made(image=None)


def test_the_route_takes_only_what_was_uploaded(tmp_path: Path, picture: dict) -> None:
    studio = StandIn(tmp_path / "studio")
    with TestClient(app_of(studio), base_url="http://127.0.0.1:7860") as client:
        body = {"unit": {**UNIT, "image": picture}, "width": 128, "height": 64}
        refused = client.post("/internal/gui/controlnet/map", json=body)
        assert (refused.status_code, "uploaded" in refused.json()["detail"]) == (403, True)
        with (tmp_path / "picture.png").open("rb") as file:
            (path,) = client.post("/gradio_api/upload", files={"files": file}).json()
        body["unit"]["image"] = {"image": {"path": path}}
        answer = client.post("/internal/gui/controlnet/map", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        body["unit"]["module"] = "openpose"
        assert "does not have yet" in client.post("/internal/gui/controlnet/map", json=body).json()["detail"]
        told = client.get("/internal/gui/controlnet", headers={"accept-language": "zh-CN"}).json()
        assert told["words"]["enable"] == "启用"
        assert told["types"]["Canny"]["module"] == "canny"
    studio.jobs.close()


def test_the_panel_weighs_little_before_it_is_opened(tmp_path: Path) -> None:
    studio = StandIn(tmp_path)
    with TestClient(app_of(studio), base_url="http://127.0.0.1:7860") as client:
        boot = client.get("/internal/gui/boot.js").text
    studio.jobs.close()
    assert "control." not in boot
    assert sum((STATIC / name).stat().st_size for name in ("panels.js", "units.css", "control.css")) < 10_000


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_word_of_the_panel_is_there_and_used(language: str) -> None:
    words = set(describe([], language)["words"])
    code = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("control.js", "control_fields.js"))
    asked = set(re.findall(r'\bsay\("([\w.]+)"', code))
    asked |= {f"type.{name}" for name in control_types([])}
    asked |= {f"knob.{knob.label}" for entry in PREPROCESSORS for knob in entry.knobs}
    for key, choices in (("mode", CONTROL_MODES), ("resize", RESIZE_MODES), ("hires", HIRES_OPTIONS)):
        asked |= {f"{key}.{choice}" for choice in choices}
    assert asked == words
