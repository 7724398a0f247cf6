"""`alwayson_scripts.ADetailer.args`, as clients of the extension send them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from modules.sdapi.detail_units import detail_pass, read_unit
from modules.terms.detail import DetailPass, DetailUnit
from modules.terms.errors import BadRequest
from tests.sdapi.serving import Server

FACE = {"ad_model": "face_yolov8n.pt"}


def asked(*args: Any) -> DetailPass | None:
    return detail_pass({"ADetailer": {"args": list(args)}})


def test_switches_may_stand_before_the_units() -> None:
    unit = DetailUnit(model="face_yolov8n.pt")
    assert asked(FACE) == asked(True, FACE) == asked(True, False, FACE) == DetailPass((unit,))
    assert asked(True, True, FACE) == DetailPass((unit,), skip_img2img=True)
    assert asked(False, False, FACE) is None
    assert asked(True, {"ad_model": "None"}) is None
    assert asked(True, {**FACE, "ad_tab_enable": False}, FACE) == DetailPass((unit,))
    assert asked() is None
    assert detail_pass({"adetailer": {"args": {"0": True, "1": FACE}}}) == DetailPass((unit,))


def test_values_count_only_where_their_switch_is_on() -> None:
    off = {**FACE, "ad_steps": 40, "ad_cfg_scale": 3, "ad_sampler": "DDIM", "ad_inpaint_width": 768, "ad_clip_skip": 2}
    assert read_unit(off, 0) == DetailUnit(model="face_yolov8n.pt")
    on = {
        **off,
        "ad_use_steps": True,
        "ad_use_cfg_scale": True,
        "ad_use_sampler": True,
        "ad_use_inpaint_width_height": True,
        "ad_use_clip_skip": True,
        "ad_scheduler": "Use same scheduler",
    }
    unit = read_unit(on, 0)
    assert (unit.steps, unit.cfg_scale, unit.sampler, unit.clip_skip) == (40, 3, "DDIM", 2)
    assert (unit.width, unit.height) == (768, 512)


def test_an_old_sampler_name_holds_its_schedule() -> None:
    unit = read_unit({**FACE, "ad_use_sampler": True, "ad_sampler": "DPM++ 2M Karras"}, 0)
    assert (unit.sampler, unit.scheduler) == ("DPM++ 2M", "Karras")


def test_old_spellings_are_understood() -> None:
    unit = read_unit({**FACE, "ad_mask_k_largest": 2, "ad_conf": 0.5, "ad_inpaint_full_res_padding": 16}, 0)
    assert (unit.most, unit.confidence, unit.padding) == (2, 0.5, 16)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ad_confidence": 3}, "ad_confidence is 3"),
        ({"ad_promt": "x"}, "Did you mean ad_prompt"),
        ({"ad_prompt": 5}, "ad_prompt must be text"),
        ({"ad_use_steps": True, "ad_steps": 0}, "ad_steps is 0"),
        ({"ad_mask_merge_invert": "Both"}, "ad_mask_merge_invert"),
    ],
)
def test_what_cannot_be_honoured_is_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        read_unit({**FACE, **wrong}, 0)


def test_the_request_of_the_job_holds_the_units(server: Server, client: httpx.Client) -> None:
    body = {
        "prompt": "a",
        "steps": 1,
        "width": 64,
        "height": 64,
        "force_task_id": "task(details)",
        "alwayson_scripts": {"ADetailer": {"args": [True, False, {**FACE, "ad_prompt": "a face"}]}},
    }
    assert client.post("/sdapi/v1/txt2img", json=body).status_code == 200
    request = server.studio.jobs.get("task(details)").request
    assert request.detail == DetailPass((DetailUnit(model="face_yolov8n.pt", prompt="a face"),))
    text = "a\nSteps: 1, Sampler: Euler, Seed: 1, Size: 64x64, ADetailer model: face, ADetailer confidence: 0.5"
    assert client.post("/sdapi/v1/txt2img", json={"infotext": text, "force_task_id": "task(text)"}).status_code == 200
    told = server.studio.jobs.get("task(text)").request.detail
    assert told == DetailPass((DetailUnit(confidence=0.5),))
    wrong = {**body, "alwayson_scripts": {"ADetailer": {"args": "yes"}}}
    assert client.post("/sdapi/v1/txt2img", json=wrong).status_code == 422


def test_clients_find_it_among_the_scripts(client: httpx.Client) -> None:
    scripts = client.get("/sdapi/v1/scripts").json()
    assert "adetailer" in [name.lower() for name in scripts["txt2img"]]
    assert "face" in client.get("/adetailer/v1/ad_model").json()["ad_model"]
    assert client.get("/adetailer/v1/schema").json()["properties"]["ad_denoising_strength"]["default"] == 0.4
    assert client.get("/adetailer/v1/version").json()["version"]
