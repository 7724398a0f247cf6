"""Requests as programs that speak A1111's API write them, field by field: they all get what they ask for.

What these have in common: fields nobody here knows, null for "as you like", numbers as text and text as numbers.
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from modules.sdapi.schemas import ExtrasSingleBody, Img2ImgBody, Txt2ImgBody
from tests.sdapi.serving import Server


def picture() -> str:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


PLAIN = picture()
URI = f"data:image/png;base64,{PLAIN}"
SMALL = {"width": 64, "height": 64}
# A unit that only fills its place, as image editors send one for each of their tabs.
OFF = {
    "enabled": False, "input_image": "", "mask": "", "module": "none", "model": "none", "weight": 1,
    "resize_mode": "Crop and Resize", "lowvram": False, "processor_res": 512, "threshold_a": 0, "threshold_b": 0,
    "guidance_start": 0, "guidance_end": 1, "control_mode": "Balanced", "pixel_perfect": False,
}  # fmt: skip
CHAT_FRONT_END = {
    "url": "http://127.0.0.1:7860", "auth": "", "prompt": "a fox", "negative_prompt": "blur", "sampler_name": "DDIM",
    "scheduler": "normal", "steps": 2, "cfg_scale": 7, **SMALL, "restore_faces": False, "enable_hr": False,
    "hr_upscaler": "Latent", "hr_scale": 1.5, "denoising_strength": 0.7, "hr_second_pass_steps": 0,
    "override_settings": {"CLIP_stop_at_last_layers": 1}, "override_settings_restore_afterwards": True, "clip_skip": 1,
    "save_images": True, "send_images": True, "do_not_save_grid": False, "do_not_save_samples": False,
}  # fmt: skip
CHAT_BOT = {
    "prompt": "a fox", "negative_prompt": "", "steps": 5, **SMALL, "cfg_scale": "7.0", "sampler_index": "Euler a",
    "seed": "77", "seed_resize_from_h": -1, "seed_resize_from_w": -1, "denoising_strength": None, "n_iter": 1,
    "batch_size": 1, "styles": [""], "full_quality": True, "override_settings": {"CLIP_stop_at_last_layers": 0},
}  # fmt: skip
IMAGE_EDITOR = {
    "prompt": "a fox", "negative_prompt": "", "steps": 2, "n_iter": 1, "batch_size": 1, **SMALL, "cfg_scale": 7,
    "sampler_index": "Euler a", "seed": "-1", "mask_blur": 0, "inpaint_full_res": False, "inpaint_full_res_padding": 0,
    "inpainting_fill": 1, "mask_expansion": 0, "hr_scale": 2, "hr_upscaler": "", "hr_resize_x": 512,
    "hr_resize_y": 512, "restore_faces": False, "mode": "txt2img", "uniqueDocumentId": "x", "enable_hr": False,
    "use_prompt_shortcut": False, "init_images": [""], "mask": "", "tiling": False, "image_cfg_scale": 1.5,
    "selection_info": {"left": 0}, "controlnet_units": [OFF] * 3, "subseed": -1, "override_settings": {},
    "override_settings_restore_afterwards": True, "alwayson_scripts": {"controlnet": {"args": [OFF] * 3}},
}  # fmt: skip
TXT2IMG: dict[str, dict[str, Any]] = {
    "chat front end": CHAT_FRONT_END,
    "chat front end without a list of schedules": {**CHAT_FRONT_END, "scheduler": "N/A"},
    "chat bot": CHAT_BOT,
    "chat bot, half of the steps": {
        **CHAT_BOT,
        "enable_hr": True,
        "hr_upscaler": "Latent",
        "hr_scale": 1,
        "hr_second_pass_steps": 2.5,
        "styles": [None],
        "denoising_strength": "0.75",
        "restore_faces": None,
    },
    "agent's tool": {"prompt": "a fox", "sampler_index": "DPM++ 2M Karras", "cfg_scale": 4.5, "steps": 2, **SMALL},
    "image editor": IMAGE_EDITOR,
    "text generator": {
        "prompt": 1984,
        "seed": -1.0,
        "sampler_name": "DPM++ 2M Karras",
        "enable_hr": False,
        "hr_scale": 1,
        "hr_upscaler": "ESRGAN_4x",
        "denoising_strength": 0.7,
        "steps": 2.0,
        "cfg_scale": 7,
        **SMALL,
    },
    "every field null": {**dict.fromkeys(Txt2ImgBody.model_fields), "steps": 2, **SMALL},
    "the page's own scripts": {
        "prompt": "a fox",
        "steps": 2,
        **SMALL,
        "refiner_checkpoint": "",
        "script_name": "",
        "alwayson_scripts": {
            "Refiner": {"args": [False, "", 0.8]},
            "Seed": {"args": [-1, False, -1, 0, 0, 0]},
            "Sampler": {"args": [20, "Euler a", "Automatic"]},
            "Extra options": {"args": []},
        },
    },
}
IMG2IMG: dict[str, dict[str, Any]] = {
    "3D program": {
        "prompt": "a fox",
        "negative_prompt": "",
        **SMALL,
        "image_similarity": 0.4,
        "seed": 5,
        "cfg_scale": 7.0,
        "steps": 2,
        "sampler": "LMS Karras",
        "denoising_strength": 0.6,
        "sampler_index": "LMS Karras",
        "init_images": [URI],
    },
    "image editor": {**IMAGE_EDITOR, "init_images": [URI], "mask": PLAIN, "denoising_strength": 0.7},
    "chat bot": {**CHAT_BOT, "init_images": [URI], "denoising_strength": 0.75},
    "every field null": {**dict.fromkeys(Img2ImgBody.model_fields), "steps": 2, **SMALL, "init_images": [PLAIN]},
}


@pytest.mark.parametrize("name", TXT2IMG)
def test_txt2img(client: httpx.Client, name: str) -> None:
    answer = client.post("/sdapi/v1/txt2img", json=TXT2IMG[name])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    # Clients cut at the comma of a data URI that is not there, and read the info a second time.
    Image.open(io.BytesIO(base64.b64decode(found["images"][0].split(",", 1)[0])))
    info = json.loads(found["info"])
    assert info["prompt"] == str(TXT2IMG[name].get("prompt") or "")
    told = client.post("/sdapi/v1/png-info", json={"image": f"data:image/png;base64,{found['images'][0]}"}).json()
    assert told["info"] == info["infotexts"][0]


@pytest.mark.parametrize("name", IMG2IMG)
def test_img2img(client: httpx.Client, name: str) -> None:
    answer = client.post("/sdapi/v1/img2img", json=IMG2IMG[name])
    assert answer.status_code == 200, answer.text
    assert answer.json()["parameters"]["init_images"] is None


@pytest.mark.parametrize(("scheduler", "means"), [("N/A", "Automatic"), ("karras", "Karras"), (None, "Automatic")])
def test_a_schedule_by_any_name(server: Server, scheduler: str | None, means: str) -> None:
    body = {**CHAT_FRONT_END, "sampler_name": "Euler a", "scheduler": scheduler, "force_task_id": f"as {scheduler}"}
    assert server.client.post("/sdapi/v1/txt2img", json=body).status_code == 200
    assert server.studio.jobs.get(f"as {scheduler}").request.scheduler == means


def test_a_front_end_sends_all_settings_back(server: Server) -> None:
    """It reads them, changes the checkpoint and posts the whole dictionary, with an empty Authorization."""
    options = server.client.get("/sdapi/v1/options", headers={"Authorization": ""}).json()
    answer = server.client.post("/sdapi/v1/options", json=options, headers={"Authorization": ""})
    assert (answer.status_code, answer.json()) == (200, None)
    assert server.client.get("/sdapi/v1/options").json() == options


def test_an_interrupt_says_json_and_has_no_body(client: httpx.Client) -> None:
    answer = client.post("/sdapi/v1/interrupt", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_progress_is_asked_in_any_spelling(client: httpx.Client, value: str) -> None:
    found = client.get(f"/sdapi/v1/progress?skip_current_image={value}").json()
    assert found["progress"] == 0
    assert (found["state"]["job"], found["state"]["job_count"], found["current_image"]) == ("", 0, None)


def test_what_an_image_editor_asks_first(client: httpx.Client) -> None:
    assert isinstance(client.get("/controlnet/module_list?alias_names=true").json()["module_detail"], dict)
    assert client.get("/controlnet/model_list").json() == {"model_list": []}
    assert client.get("/controlnet/settings").json()["control_net_unit_count"] > 0
    assert "adetailer" in client.get("/sdapi/v1/scripts").json()["img2img"]
    body = {"controlnet_module": "canny", "controlnet_input_images": [PLAIN], "controlnet_processor_res": 512}
    assert len(client.post("/controlnet/detect", json=body).json()["images"]) == 1


def test_a_bot_enlarges() -> None:
    body = ExtrasSingleBody.model_validate(
        {
            "upscaling_resize": "2.0",
            "upscaler_1": "Nearest",
            "image": URI,
            "gfpgan_visibility": 0.0,
            "codeformer_visibility": "0",
            "upscale_first": False,
            "upscaler_2": None,
        }
    )
    assert (body.upscaling_resize, body.codeformer_visibility, body.upscaler_2) == (2.0, 0.0, "None")
