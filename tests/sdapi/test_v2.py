"""/api/v2 through its own client: jobs are submitted, followed, fetched and ended; pictures uploaded; models found."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from modules.sdapi.client import Client, StudioError
from modules.sdapi.v2.bodies import EXAMPLES
from modules.terms.declare import params_of
from modules.terms.request import GenerationRequest, Hires
from tests.sdapi.serving import Server

QUICK: dict[str, Any] = {"prompt": "a cat", "steps": 2, "width": 64, "height": 64, "seed": 5}


@pytest.fixture
def studio(server: Server) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


def test_a_job_is_submitted_followed_and_fetched(server: Server, studio: Client) -> None:
    response = server.client.post("/api/v2/jobs", json={**QUICK, "n_iter": 2, "task_id": "mine"})
    assert response.status_code == 202
    job_id = response.json()["id"]
    assert response.headers["location"] == f"/api/v2/jobs/{job_id}"
    seen = list(studio.follow(job_id))
    assert seen[-1]["state"] == "done"
    result = studio.result("mine")
    assert (result["seeds"], [row["seed"] for row in result["pictures"]]) == ([5, 6], [5, 6])
    assert [picture.getpixel((0, 0)) for picture in studio.pictures(job_id)] == [(5, 0, 0), (5, 1, 0)]
    assert studio.pictures(job_id)[1].info["parameters"].endswith("Seed: 6")
    assert job_id in [job["id"] for job in studio.jobs()]


def test_progress_and_previews_come_while_it_runs(server: Server, studio: Client) -> None:
    go = threading.Event()
    server.studio.draw_step = lambda job, step: go.wait(10) if step == 3 else None
    job_id = studio.submit(**{**QUICK, "steps": 5})
    for job in studio.follow(job_id):
        if job["step"] == 2 and not go.is_set():
            assert job["preview"].startswith(f"/api/v2/jobs/{job_id}/preview")
            shown = studio.preview(job_id)
            assert shown is not None
            assert shown.size == (8, 8)
            with pytest.raises(StudioError, match="running") as early:
                studio.result(job_id)
            assert early.value.status == 409
            go.set()
    assert (job["state"], job["fraction"], job["preview"]) == ("done", 1.0, None)


def test_jobs_are_cancelled_and_forgotten(server: Server, studio: Client) -> None:
    go = threading.Event()
    server.studio.draw_step = lambda job, step: go.wait(10)
    running, waiting = studio.submit(**QUICK), studio.submit(**QUICK)
    assert studio.cancel(waiting)["state"] == "cancelled"
    studio.cancel(running)
    go.set()
    assert studio.wait(running)["state"] == "cancelled"
    studio.cancel(running)
    with pytest.raises(StudioError) as gone:
        studio.job(running)
    assert gone.value.status == 404


def test_a_client_that_lost_its_connection_comes_back(server: Server, studio: Client) -> None:
    go = threading.Event()
    server.studio.draw_step = lambda job, step: go.wait(10)
    job_id = studio.submit(**QUICK)
    studio.close()
    go.set()
    with Client(server.url) as again:
        assert again.wait(job_id)["state"] == "done"
        assert len(again.pictures(job_id)) == 1


def test_pictures_are_uploaded_and_named(server: Server, studio: Client) -> None:
    reference = studio.upload(Image.new("RGB", (64, 64), "blue"))
    drawn = studio.wait(studio.submit(**QUICK, source={"images": [reference]}, denoising_strength=0.5))
    asked = server.studio.jobs.get(drawn["id"]).request
    assert asked.source.images[0].getpixel((0, 0)) == (0, 0, 255)
    mask = studio.upload(Image.new("L", (64, 64), 255))
    masked = {"images": [f"job:{drawn['id']}/0"], "mask": {"image": mask, "fill": 0, "only_masked": True}}
    inpainted = studio.wait(studio.submit(**QUICK, source=masked))
    asked = server.studio.jobs.get(inpainted["id"]).request
    assert asked.source.images[0].getpixel((0, 0)) == (5, 0, 0)
    assert (asked.source.mask.only_masked, asked.source.mask.image.getpixel((0, 0))) == (True, 255)


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"sampler": "Eulr a"}, 404, "Euler a"),
        ({"checkpoint": "no such"}, 404, "[Cc]heckpoint"),
        ({"hires": {"checkpoint": "no such"}}, 404, "[Cc]heckpoint"),
        ({"styles": ["no such"]}, 404, "no such"),
        ({"stepps": 3}, 422, "stepps"),
        ({"steps": 0}, 422, "steps"),
        ({"denoising_strength": 2}, 422, "denoising_strength"),
        ({"hires": {"scal": 2}}, 422, "scal"),
        ({"settings": {"no_such": 1}}, 422, "no_such"),
        ({"source": {"images": []}}, 422, "images"),
        ({"source": {"images": ["upload:../../config.json"]}}, 404, "upload"),
        ({"source": {"images": ["job:nothing/0"]}}, 404, "nothing"),
        ({"source": {"images": ["job:nothing/../../x"]}}, 422, "number"),
        ({"source": {"images": ["http://127.0.0.1/x.png"]}}, 403, "network|switched off|private"),
        ({"kind": "sorcery"}, 422, "kind"),
    ],
)
def test_what_cannot_be_honoured_is_refused(studio: Client, asked: dict[str, Any], status: int, words: str) -> None:
    with pytest.raises(StudioError, match=words) as refused:
        studio.submit(**{**QUICK, **asked})
    assert refused.value.status == status


def test_a_failed_job_says_why(studio: Client) -> None:
    job = studio.wait(studio.submit(**{**QUICK, "prompt": "fail"}))
    assert (job["state"], job["error"]) == ("failed", "This prompt cannot be drawn.")
    with pytest.raises(StudioError, match="This prompt cannot be drawn") as failed:
        studio.result(job["id"])
    assert failed.value.status == 422


def test_words_for_a_picture_are_a_result(
    server: Server, studio: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server.studio, "caption", lambda image, model: f"a red square, {image.width} wide")
    picture = tmp_path / "red.png"
    Image.new("RGB", (9, 9), "red").save(picture)
    body = {"image": base64.b64encode(picture.read_bytes()).decode(), "model": "clip"}
    assert server.client.post("/sdapi/v1/interrogate", json=body).json() == {"caption": "a red square, 9 wide"}
    job = next(job for job in studio.jobs() if job["kind"] == "interrogate")
    assert studio.result(job["id"])["said"] == "a red square, 9 wide"


def test_uploads_are_pictures_from_our_own_pages(server: Server) -> None:
    def send(content: bytes, **headers: str) -> httpx.Response:
        return server.client.post("/api/v2/uploads", files={"picture": ("x.png", content)}, headers=headers)

    assert send(b"<svg onload='alert(1)'/>").status_code == 422
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert send(b"", **headers).status_code == 403, "a form of another site"
    form = server.client.post("/api/v2/jobs", files={"prompt": ("x", b"a cat")})
    assert form.status_code == 415, "multipart is for uploads alone"


def test_every_knob_stands_in_the_schema(server: Server) -> None:
    schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
    for owner, name in ((GenerationRequest, "GenerationV2"), (Hires, "HiresV2")):
        knobs = params_of(owner)
        assert set(knobs) <= set(schemas[name]["properties"])
        assert all(schemas[name]["properties"][knob]["description"] for knob in knobs)
    assert schemas["GenerationV2"]["properties"]["denoising_strength"]["anyOf"][0]["maximum"] == 1
    body = server.client.get("/openapi.json").json()["paths"]["/api/v2/jobs"]["post"]["requestBody"]
    assert body["content"]["application/json"]["examples"].keys() == EXAMPLES.keys()


def test_models_are_found_and_inspected(server: Server, root: Path, studio: Client) -> None:
    model = root / "models/Stable-diffusion/atelier-mini.safetensors"
    if not model.is_file():
        pytest.skip("the built-in model is not here")
    folder = server.studio.flags.ckpt_folders[0]
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "a mini.safetensors").exists():
        (folder / "a mini.safetensors").symlink_to(model)
    server.client.post("/sdapi/v1/refresh-checkpoints")
    (card,) = studio.models("checkpoints", "a mini")
    assert studio.inspect("checkpoints", card["name"])["report"]["kind"] == "checkpoint"
    assert any(row["name"] == "Euler a" for row in server.client.get("/api/v2/choices/samplers").json())
    assert isinstance(studio.library(), list)
    for address in ("choices/nothing", "models/nothing", "models/checkpoints/inspect?name=nothing", "jobs/nothing"):
        assert server.client.get(f"/api/v2/{address}").status_code == 404
