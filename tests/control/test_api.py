"""ControlNet over real HTTP, as clients of its extension spell it, with a tiny model behind."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from modules.studio.flag_table import Flags
from modules.studio.studio import Studio
from tests.control.conftest import Steered
from tests.sdapi.serving import serving_studio

SMALL = {"prompt": "a house", "steps": 3, "width": 96, "height": 64, "seed": 5, "subseed": 1, "sampler_name": "Euler"}


@pytest.fixture(scope="module")
def client(steered: Steered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("studio")
    studio = Studio(Flags(data_dir=folder, models_dir=steered.controls.parent, use_cpu=("all",)))
    studio.start()
    with serving_studio(studio) as server:
        server.client.timeout = 120
        yield server.client


def encoded(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def answer(client: httpx.Client, *units: object, script: str = "controlnet", **body: object) -> dict:
    response = client.post("/sdapi/v1/txt2img", json={**SMALL, **body, "alwayson_scripts": {script: {"args": units}}})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture(scope="module")
def picture(drawing: Image.Image) -> str:
    return encoded(drawing)


def test_a_unit_steers_and_its_map_comes_after_the_pictures(client: httpx.Client, picture: str) -> None:
    plain = client.post("/sdapi/v1/txt2img", json=SMALL).json()
    unit = {"enabled": True, "image": picture, "module": "canny", "model": "tiny_canny", "processor_res": 64}
    found = answer(client, unit)
    assert len(found["images"]) == 2
    assert decoded(found["images"][0]).tobytes() != decoded(plain["images"][0]).tobytes()
    assert set(np.unique(np.asarray(decoded(found["images"][1])))) <= {0, 255}
    info = json.loads(found["info"])
    assert len(info["infotexts"]) == 1
    assert 'ControlNet 0: "Module: canny, Model: tiny_canny [' in info["infotexts"][0]
    assert info["extra_generation_params"]["ControlNet 0"].startswith("Module: canny")


@pytest.mark.parametrize("script", ["ControlNet", "controlnet", "CONTROLNET"])
def test_every_spelling_gives_the_same_picture(client: httpx.Client, picture: str, script: str) -> None:
    new = {"image": {"image": picture, "mask": None}, "resize_mode": "Crop and Resize", "control_mode": "Balanced"}
    old = {"input_image": f"data:image/png;base64,{picture}", "resize_mode": 1, "control_mode": 0, "lowvram": False}
    images = [
        answer(client, {"model": "tiny_canny", **unit}, script=script)["images"][0]
        for unit in (
            new,
            old,
            {"image": [picture, None], "resize_mode": "Inner Fit (Scale to Fit)"},
            {"image": [picture]},
        )
    ]
    assert len(set(images)) == 1


def test_units_that_are_off_change_nothing(client: httpx.Client, picture: str) -> None:
    plain = client.post("/sdapi/v1/txt2img", json=SMALL).json()["images"]
    off = {"enabled": False, "image": picture, "model": "nobody"}
    assert answer(client, True, "junk", off, {})["images"] == plain


def test_img2img_lends_its_picture(client: httpx.Client, picture: str) -> None:
    body = {**SMALL, "init_images": [picture], "denoising_strength": 0.7}
    unit = {"args": [{"model": "tiny_canny", "module": "canny"}]}
    plain = client.post("/sdapi/v1/img2img", json=body).json()
    found = client.post("/sdapi/v1/img2img", json={**body, "alwayson_scripts": {"ControlNet": unit}}).json()
    assert found["images"][0] != plain["images"][0]


@pytest.mark.parametrize(
    ("unit", "status", "words"),
    [
        ({"model": "tiny_kanny"}, 404, "tiny_canny"),
        ({"module": "cany"}, 404, "canny"),
        ({"module": "openpose"}, 422, "does not have yet"),
        ({"model": "None"}, 422, "names no model"),
        ({"weight": 7}, 422, "weight"),
        ({"guidance_start": 1, "guidance_end": 0}, 422, "guidance_start"),
        ({"control_mode": "Balance"}, 422, "Balanced"),
        ({"control_mode": 9}, 422, "Balanced"),
        ({"resize_mode": "Crop"}, 422, "Crop and Resize"),
        ({"image": "no picture"}, 422, "Invalid encoded image"),
        ({"image": ["a", "b", "c"]}, 422, "one picture"),
        ({"weight": "much"}, 422, "weight"),
    ],
)
def test_wrong_values_are_named(client: httpx.Client, picture: str, unit: dict, status: int, words: str) -> None:
    whole = {"enabled": True, "model": "tiny_canny", "image": picture, **unit}
    body = {**SMALL, "alwayson_scripts": {"controlnet": {"args": [whole]}}}
    response = client.post("/sdapi/v1/txt2img", json=body)
    assert (response.status_code, words in response.json()["detail"]) == (status, True), response.text


def test_the_lists_of_the_extension(client: httpx.Client) -> None:
    assert client.get("/controlnet/version").json() == {"version": 2}
    assert client.get("/controlnet/settings").json() == {"control_net_unit_count": 3}
    models = client.get("/controlnet/model_list").json()["model_list"]
    assert any(name.startswith("tiny_canny [") for name in models)
    modules = client.get("/controlnet/module_list").json()
    assert modules["module_list"][0] == "none"
    assert {"canny", "inpaint", "depth", "openpose"} <= set(modules["module_list"])
    assert [slider["value"] for slider in modules["module_detail"]["canny"]["sliders"]] == [512, 100, 200]
    labels = client.get("/controlnet/module_list?alias_names=true").json()["module_list"]
    assert {"inpaint_global_harmonious", "depth_midas"} <= set(labels)
    types = client.get("/controlnet/control_types").json()["control_types"]
    assert types["Canny"]["default_option"] == "canny"
    assert types["Canny"]["default_model"].startswith("tiny_canny")
    assert types["All"]["model_list"][0] == "None"
    assert "controlnet" in client.get("/sdapi/v1/scripts").json()["txt2img"]


def test_maps_are_made_without_a_picture_drawn(client: httpx.Client, picture: str, drawing: Image.Image) -> None:
    def detect(**body: object) -> httpx.Response:
        return client.post("/controlnet/detect", json={"controlnet_input_images": [picture], **body})

    found = detect(controlnet_module="invert").json()
    assert np.array_equal(255 - np.asarray(decoded(found["images"][0])), np.asarray(drawing))
    assert found["info"] == "Success"
    assert decoded(detect(controlnet_module="canny", controlnet_processor_res=128).json()["images"][0]).size == (
        192,
        128,
    )
    assert detect(controlnet_module="canny", controlnet_input_images=[]).status_code == 422
    assert detect(controlnet_module="nothing").status_code == 422
    assert "controlnet_masks" in detect(controlnet_module="inpaint_only").json()["detail"]
    assert "belong in" in detect(controlnet_module="depth_midas").json()["detail"]


def test_what_webuiapi_sends_is_understood(client: httpx.Client, picture: str, drawing: Image.Image) -> None:
    """The fields of its ControlNetUnit with their defaults, two units, and its way to ask for a map."""
    unit = {
        "image": picture,
        "mask": None,
        "module": "canny",
        "model": client.get("/controlnet/model_list").json()["model_list"][0],
        "weight": 1.0,
        "resize_mode": "Resize and Fill",
        "low_vram": False,
        "processor_res": 64,
        "threshold_a": 64,
        "threshold_b": 64,
        "guidance_start": 0.0,
        "guidance_end": 1.0,
        "control_mode": "Balanced",
        "pixel_perfect": False,
        "hr_option": "Both",
        "enabled": True,
    }
    hires = {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent", "denoising_strength": 0.7}
    found = answer(client, unit, {**unit, "module": "reference_only", "model": "None"}, script="ControlNet", **hires)
    assert len(found["images"]) == 3
    text = json.loads(found["info"])["infotexts"][0]
    assert 'ControlNet 1: "Module: reference_only, Model: None, Weight: 1, Resize Mode: Resize and Fill' in text
    asked = {"controlnet_module": "canny", "controlnet_images": [picture], "controlnet_processor_res": 64}
    assert len(client.post("/controlnet/detect", json=asked).json()["images"]) == 1


def test_a_text_brings_its_units_back(client: httpx.Client, picture: str) -> None:
    unit = {"image": picture, "module": "canny", "model": "tiny_canny", "weight": 0.7, "processor_res": 64}
    first = answer(client, unit)
    text = json.loads(first["info"])["infotexts"][0]
    again = {"infotext": text, "alwayson_scripts": {"ControlNet": {"args": [{"image": picture}]}}}
    assert client.post("/sdapi/v1/txt2img", json=again).json()["images"] == first["images"]
    stronger = {"infotext": text, "alwayson_scripts": {"ControlNet": {"args": [{"image": picture, "weight": 1.5}]}}}
    assert client.post("/sdapi/v1/txt2img", json=stronger).json()["images"] != first["images"]
    without = client.post("/sdapi/v1/txt2img", json={"infotext": text})
    assert (without.status_code, "alwayson_scripts" in without.json()["detail"]) == (422, True)
    source = {"init_images": [picture], "infotext": text, "denoising_strength": 0.7}
    steered_text = json.loads(client.post("/sdapi/v1/img2img", json=source).json()["info"])["infotexts"][0]
    assert "Weight: 0.7" in steered_text


def test_logins_guard_the_lists(steered: Steered, tmp_path: Path) -> None:
    with serving_studio(Studio(Flags(data_dir=tmp_path, models_dir=steered.controls.parent, api_auth="a:b"))) as server:
        assert server.client.get("/controlnet/model_list").status_code == 401
        assert server.client.get("/controlnet/model_list", auth=("a", "b")).status_code == 200
