"""txt2img and img2img over HTTP: requests are jobs, wrong ones are 4xx with a sentence, answers have A1111's shape."""

from __future__ import annotations

import base64
import io
import json
import threading
import time

import httpx
import pytest
from PIL import Image, PngImagePlugin

from modules.sdapi.images import MAX_PIXELS, MAX_SIDE
from tests.sdapi.serving import Server

QUICK = {"prompt": "a cat", "steps": 2, "width": 64, "height": 64, "seed": 5}

INFO_KEYS = {
    *(
        "prompt",
        "all_prompts",
        "negative_prompt",
        "all_negative_prompts",
        "seed",
        "all_seeds",
        "subseed",
        "all_subseeds",
    ),
    *("subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size", "restore_faces"),
    *("face_restoration_model", "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash", "seed_resize_from_w"),
    *("seed_resize_from_h", "denoising_strength", "extra_generation_params", "index_of_first_image", "infotexts"),
    *("styles", "job_timestamp", "clip_skip", "is_using_inpainting_conditioning", "version"),
}


def encoded(image: Image.Image, file_format: str = "PNG") -> str:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return base64.b64encode(buffer.getvalue()).decode()


def picture(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_txt2img_answers_with_pictures_and_info(client: httpx.Client) -> None:
    response = client.post("/sdapi/v1/txt2img", json={**QUICK, "batch_size": 2, "n_iter": 2})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"images", "parameters", "info"}
    assert [picture(text).getpixel((0, 0)) for text in answer["images"]] == [(5, n, 0) for n in range(4)]
    assert picture(answer["images"][3]).info["parameters"].endswith("Seed: 8")
    info = json.loads(answer["info"])
    assert set(info) == INFO_KEYS
    assert info["all_seeds"] == [5, 6, 7, 8]
    assert len(info["infotexts"]) == 4
    assert (info["sampler_name"], info["sd_model_name"], info["clip_skip"]) == ("Euler", "plain", 1)
    assert answer["parameters"]["steps"] == 2
    assert answer["parameters"]["cfg_scale"] == 7.0
    assert float(response.headers["X-Process-Time"]) > 0


def test_info_has_the_keys_that_were_recorded(parity) -> None:
    case = json.loads((parity / "cases/samplers_20").glob("*.json").__next__().read_text())
    assert set(case["info"]) == INFO_KEYS


def test_defaults_are_those_of_a1111(server: Server) -> None:
    server.studio.draw_step = lambda job, step: None
    answer = server.client.post("/sdapi/v1/txt2img", json={}).json()
    given = answer["parameters"]
    assert (given["steps"], given["width"], given["sampler_index"], given["seed"]) == (50, 512, "Euler", -1)
    request = server.studio.jobs.history(1)[0].request
    assert (request.sampler, request.scheduler, request.batch_size) == ("Euler", "Automatic", 1)


def test_nulls_and_unknown_fields_are_passed_over(client: httpx.Client) -> None:
    body = {**QUICK, "styles": None, "cfg_scale": None, "sampler_index": None, "no_such_field": 1}
    assert client.post("/sdapi/v1/txt2img", json=body).status_code == 200


def test_send_images_false_sends_none(client: httpx.Client) -> None:
    assert client.post("/sdapi/v1/txt2img", json={**QUICK, "send_images": False}).json()["images"] == []


@pytest.mark.parametrize(
    ("given", "sampler", "scheduler"),
    [
        ({"sampler_name": "DPM++ 2M SDE Exponential", "scheduler": "Automatic"}, "DPM++ 2M SDE", "Automatic"),
        ({"sampler_name": "DPM++ 2M", "scheduler": "karras"}, "DPM++ 2M", "Automatic"),
        ({"sampler_name": "Euler a", "scheduler": "karras"}, "Euler a", "Karras"),
        ({"sampler_name": "k_euler_a"}, "DPM++ 2M", "Automatic"),
        ({"sampler_index": "DDIM"}, "DDIM", "Automatic"),
        ({"sampler_name": "Euler a", "sampler_index": "DDIM"}, "Euler a", "Automatic"),
    ],
)
def test_sampler_names(server: Server, given: dict[str, str], sampler: str, scheduler: str) -> None:
    assert server.client.post("/sdapi/v1/txt2img", json={**QUICK, **given}).status_code == 200
    request = server.studio.jobs.history(1)[0].request
    assert (request.sampler, request.scheduler) == (sampler, scheduler)


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"sampler_name": "Eulr a"}, 404, "Euler a"),
        ({"scheduler": "Karas"}, 404, "Karras"),
        ({"steps": 0}, 422, "steps"),
        ({"width": 100_000}, 422, "width"),
        ({"batch_size": 0}, 422, "batch_size"),
        ({"steps": "many"}, 422, "steps"),
        ({"override_settings": {"CLIP_stop_at_last_layer": 2}}, 422, "CLIP_stop_at_last_layers"),
        ({"override_settings": {"CLIP_stop_at_last_layers": "x"}}, 422, "lip"),
        ({"override_settings": {"CLIP_stop_at_last_layers": float("nan")}}, 422, "nan"),
        ({"cfg_scale": float("inf")}, 422, "inf"),
        ({"prompt": "\ud800"}, 422, "nicode"),
        ({"script_name": "x/y/z plott"}, 422, "Script"),
        ({"alwayson_scripts": {"nothing": {"args": []}}}, 422, "nothing"),
        ({"alwayson_scripts": {"nothing": 3}}, 422, "args"),
        ({"prompt": "fail"}, 422, "cannot be drawn"),
    ],
)
def test_wrong_requests_are_refused_with_a_sentence(
    client: httpx.Client, given: dict[str, object], status: int, words: str
) -> None:
    body = json.dumps({**QUICK, **given})
    response = client.post("/sdapi/v1/txt2img", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status, response.text
    answer = response.json()
    assert set(answer) == {"error", "detail", "body", "errors"}
    assert words in answer["errors"]


@pytest.mark.parametrize("body", ["{", "[]", "null", '"text"', "[" * 5000, '{"a":' * 5000, "1" * 6000, "\x00"])
def test_broken_json_is_4xx(client: httpx.Client, body: str) -> None:
    response = client.post("/sdapi/v1/txt2img", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= response.status_code < 500


def test_hires_refiner_and_legacy_sizes(server: Server) -> None:
    body = {
        **QUICK,
        "enable_hr": True,
        "hr_upscaler": None,
        "hr_sampler_name": "Use same sampler",
        "hr_scheduler": "karras",
        "hr_checkpoint_name": "Use same checkpoint",
        "width": 256,
        "height": 128,
        "firstphase_width": 128,
        "firstphase_height": 64,
        "refiner_checkpoint": "b",
        "refiner_switch_at": 0.5,
    }
    assert server.client.post("/sdapi/v1/txt2img", json=body).status_code == 200
    request = server.studio.jobs.history(1)[0].request
    hires = request.hires
    assert (request.width, request.height, hires.resize_x, hires.resize_y) == (128, 64, 256, 128)
    assert (hires.upscaler, hires.sampler, hires.scheduler, hires.checkpoint) == ("Latent", "", "Karras", "")
    assert (request.denoising_strength, request.refiner.checkpoint, request.refiner.switch_at) == (0.7, "b", 0.5)


def test_infotext_fills_what_is_not_given(server: Server) -> None:
    text = (
        "a (red:1.2) circle\nNegative prompt: green\nSteps: 9, Sampler: DPM++ 2M, Schedule type: Karras,"
        " CFG scale: 5.5, Seed: 4242, Size: 64x96, Clip skip: 2, ENSD: 31337, RNG: CPU"
    )
    body = {"infotext": text, "steps": 3, "override_settings": {"eta_noise_seed_delta": 1}}
    response = server.client.post("/sdapi/v1/txt2img", json=body)
    assert response.status_code == 200, response.text
    request = server.studio.jobs.history(1)[0].request
    assert (request.prompt, request.negative_prompt, request.steps) == ("a (red:1.2) circle", "green", 3)
    assert (request.sampler, request.cfg_scale, request.seed) == ("DPM++ 2M", 5.5, 4242)
    assert (request.width, request.height, request.hires) == (64, 96, None)
    assert request.settings["CLIP_stop_at_last_layers"] == 2
    assert request.settings["eta_noise_seed_delta"] == 1
    assert json.loads(response.json()["info"])["clip_skip"] == 2


def test_overrides_do_not_leak(server: Server) -> None:
    body = {**QUICK, "override_settings": {"CLIP_stop_at_last_layers": 3}}
    assert json.loads(server.client.post("/sdapi/v1/txt2img", json=body).json()["info"])["clip_skip"] == 3
    assert json.loads(server.client.post("/sdapi/v1/txt2img", json=QUICK).json()["info"])["clip_skip"] == 1
    assert server.client.get("/sdapi/v1/options").json()["CLIP_stop_at_last_layers"] == 1


def test_img2img_takes_pictures_and_masks(server: Server) -> None:
    init = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    mask = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    mask.paste((0, 0, 0, 255), (0, 0, 32, 64))
    body = {**QUICK, "init_images": [f"data:image/png;base64,{encoded(init)}"], "mask": encoded(mask), "mask_blur": 7}
    response = server.client.post("/sdapi/v1/img2img", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["parameters"]["init_images"] is None
    job = server.studio.jobs.history(1)[0]
    source = job.request.source
    assert (job.kind, job.request.denoising_strength) == ("img2img", 0.75)
    assert source.images[0].tobytes() == init.tobytes()
    assert (source.mask.image.getpixel((0, 0)), source.mask.image.getpixel((63, 0))) == (255, 0)
    assert (source.mask.blur_x, source.mask.fill, source.mask.only_masked, source.mask.padding) == (7, 0, True, 0)


def test_init_images_come_back_when_asked(client: httpx.Client) -> None:
    text = encoded(Image.new("RGB", (8, 8)))
    body = {**QUICK, "init_images": [text], "include_init_images": True}
    assert client.post("/sdapi/v1/img2img", json=body).json()["parameters"]["init_images"] == [text]


def bomb() -> str:
    return encoded(Image.new("1", (MAX_PIXELS // 4096 + 1, 4096)))


@pytest.mark.parametrize(
    ("images", "status", "words"),
    [
        (None, 404, "Init image not found"),
        ([], 404, "Init image not found"),
        (["no base64!"], 422, "base64"),
        ([base64.b64encode(b"no picture").decode()], 422, "Invalid encoded image"),
        ([""], 422, "Invalid encoded image"),
        ([encoded(Image.new("RGB", (64, 64)))[:60]], 422, "Invalid encoded image"),
        (["bomb"], 422, "megapixels"),
        ([encoded(Image.new("1", (MAX_SIDE + 1, 1)))], 422, "a side has at most"),
        (["http://127.0.0.1:1/x.png"], 403, "private network"),
        ([encoded(Image.new("RGB", (8, 8)))] * 2, 422, "batch_size"),
        (
            [base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").decode()],
            422,
            "Invalid encoded image",
        ),
    ],
)
def test_bad_pictures_are_refused(server: Server, images: list[str] | None, status: int, words: str) -> None:
    server.studio._settings_file.current = server.studio.settings.with_flat({"api_enable_requests": True})
    if images == ["bomb"]:
        images = [bomb()]
    response = server.client.post("/sdapi/v1/img2img", json={**QUICK, "init_images": images})
    assert response.status_code == status, response.text
    assert words in response.json()["detail"]


def test_addresses_are_not_fetched_unless_allowed(server: Server) -> None:
    assert server.studio.settings.catalogue["api_enable_requests"].default is False
    server.studio._settings_file.current = server.studio.settings.with_flat({"api_enable_requests": False})
    response = server.client.post("/sdapi/v1/img2img", json={**QUICK, "init_images": ["https://example.com/x.png"]})
    assert response.status_code == 403
    assert "switched off" in response.json()["detail"]


def test_a_client_that_goes_away_may_come_back(server: Server) -> None:
    """Its job goes on, and the answer can be had by its task id."""
    go = threading.Event()
    server.studio.draw_step = lambda job, step: go.wait(10)
    with pytest.raises(httpx.ReadTimeout):
        server.client.post("/sdapi/v1/txt2img", json={**QUICK, "force_task_id": "task(gone)"}, timeout=0.3)
    waiting = server.client.post("/internal/progress", json={"id_task": "task(gone)"}).json()
    assert waiting["active"] is True
    go.set()
    assert server.studio.jobs.wait("task(gone)", timeout=10).state == "done"
    view = server.client.get("/internal/jobs/task(gone)").json()
    assert (view["state"], view["fraction"]) == ("done", 1.0)
    assert server.client.post("/internal/progress", json={"id_task": "task(gone)"}).json()["completed"] is True


def test_many_clients_at_once_get_their_own_pictures(server: Server) -> None:
    answers: dict[int, tuple[int, int, int]] = {}

    def ask(seed: int) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            answer = client.post("/sdapi/v1/txt2img", json={**QUICK, "seed": seed, "prompt": str(seed)}).json()
            answers[seed] = picture(answer["images"][0]).getpixel((0, 0))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(20)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        began = time.perf_counter()
        assert server.client.get("/sdapi/v1/progress").status_code == 200
        slowest = max(slowest, time.perf_counter() - began)
        time.sleep(0.01)
    assert answers == {seed: (seed, 0, 0) for seed in range(20)}


def test_png_info_reads_what_a_picture_says(client: httpx.Client) -> None:
    answer = client.post("/sdapi/v1/txt2img", json={**QUICK, "prompt": "猫 a cat"}).json()
    response = client.post("/sdapi/v1/png-info", json={"image": answer["images"][0]})
    found = response.json()
    assert found["info"].startswith("猫 a cat\nSteps: 2")
    assert found["items"]["parameters"] == found["info"]
    assert (found["parameters"]["Prompt"], found["parameters"]["Seed"]) == ("猫 a cat", "5")
    empty = client.post("/sdapi/v1/png-info", json={"image": encoded(Image.new("RGB", (8, 8)))}).json()
    assert (empty["info"], empty["parameters"]) == ("", {})
    assert client.post("/sdapi/v1/png-info", json={"image": "x"}).status_code == 422


def test_png_info_reads_what_other_programs_wrote(client: httpx.Client) -> None:
    picture = Image.new("RGB", (64, 64))
    notes = PngImagePlugin.PngInfo()
    comment = {"prompt": "a cat", "uc": "blurry", "steps": 28, "sampler": "k_euler", "scale": 5, "seed": 7}
    for name, text in {"Software": "NovelAI", "Description": "a cat", "Comment": json.dumps(comment)}.items():
        notes.add_text(name, text)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=notes)
    image = base64.b64encode(buffer.getvalue()).decode()
    found = client.post("/sdapi/v1/png-info", json={"image": image}).json()
    assert found["info"].startswith("a cat\nNegative prompt: blurry\nSteps: 28, Sampler: Euler")
    assert found["parameters"]["Seed"] == "7"
    assert found["items"]["Software"] == "NovelAI"


def test_overrides_hold_for_good_only_if_asked(client: httpx.Client) -> None:
    def settings() -> tuple[object, ...]:
        options = client.get("/sdapi/v1/options").json()
        return tuple(options[key] for key in ("jpeg_quality", "api_forbid_local_requests", "sd_model_checkpoint"))

    before = settings()
    changes = {"jpeg_quality": 71, "api_forbid_local_requests": False, "sd_model_checkpoint": "not here"}
    assert client.post("/sdapi/v1/txt2img", json={**QUICK, "override_settings": changes}).status_code == 200
    assert settings() == before
    lasting = {**QUICK, "override_settings": changes, "override_settings_restore_afterwards": False}
    assert client.post("/sdapi/v1/txt2img", json=lasting).status_code == 200
    assert settings() == (71, *before[1:])
    client.post("/sdapi/v1/options", json={"jpeg_quality": before[0]})
