"""Merging over HTTP: the new file is listed and draws; what cannot be done is said."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.sdapi.serving import Server, serving_studio

pytest.importorskip("torch")
import torch

from modules.studio.flag_table import Flags
from modules.studio.studio import Studio
from tests.checkpoints.original_layout import tiny_sd1, write_sd1
from tests.generation.conftest import TEXT, VAE

SMALL = {"prompt": "a cat", "steps": 2, "width": 64, "height": 64, "seed": 5, "sampler_name": "Euler"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio with two checkpoints of one kind."""
    folder = tmp_path_factory.mktemp("studio")
    checkpoints = folder / "models" / "Stable-diffusion"
    checkpoints.mkdir(parents=True)
    first = load_file(write_sd1(checkpoints / "first.safetensors", tiny_sd1(text=TEXT, vae=VAE)))
    generator = torch.Generator().manual_seed(1)
    second = {
        key: value + 0.02 * torch.randn(value.shape, generator=generator) if value.is_floating_point() else value
        for key, value in first.items()
    }
    save_file(second, checkpoints / "second.safetensors")
    studio = Studio(Flags(data_dir=folder, skip_load_model_at_start=True))
    studio.jobs.start()
    with serving_studio(studio) as server:
        server.client.timeout = 120
        yield server


def drawn(server: Server, checkpoint: str, prompt: str = "a cat") -> tuple[bytes, str]:
    """(pixels, infotext) of a picture by that checkpoint."""
    body = {**SMALL, "prompt": prompt, "override_settings": {"sd_model_checkpoint": checkpoint}}
    answer = server.client.post("/sdapi/v1/txt2img", json=body)
    assert answer.status_code == 200, answer.text
    (picture,) = answer.json()["images"]
    (text,) = json.loads(answer.json()["info"])["infotexts"]
    return Image.open(io.BytesIO(base64.b64decode(picture))).tobytes(), text


def test_a_merged_checkpoint_is_listed_and_draws(server: Server) -> None:
    body = {"primary": "first", "secondary": "second", "multiplier": 1, "custom_name": "new", "wait": True}
    answer = server.client.post("/internal/merge", json=body)
    assert answer.status_code == 200, answer.text
    path = Path(answer.json()["path"])
    assert path == server.studio.flags.ckpt_folders[0] / "new.safetensors"
    titles = [one["model_name"] for one in server.client.get("/sdapi/v1/sd-models").json()]
    assert titles == ["first", "new", "second"]
    assert drawn(server, "new")[0] == drawn(server, "second")[0]
    assert drawn(server, "new")[0] != drawn(server, "first")[0]
    taken = server.client.post("/internal/merge", json=body)
    assert taken.status_code == 422
    assert "already" in taken.json()["detail"]


def test_an_extracted_lora_is_listed_and_draws_like_the_tuned_model(server: Server) -> None:
    body = {"tuned": "second", "base": "first", "rank": 320, "custom_name": "gap", "wait": True}
    answer = server.client.post("/internal/extract-lora", json=body)
    assert answer.status_code == 200, answer.text
    assert "100.0%" in answer.json()["notes"][0]
    assert "gap" in [one["name"] for one in server.client.get("/sdapi/v1/loras").json()]
    pixels, infotext = drawn(server, "first", "a cat <lora:gap:1>")
    assert "Networks used in part" not in infotext
    assert pixels != drawn(server, "first")[0]


def test_a_lora_is_baked_in_by_its_tag(server: Server) -> None:
    extract = {"tuned": "second", "base": "first", "rank": 4, "custom_name": "small", "wait": True}
    assert server.client.post("/internal/extract-lora", json=extract).status_code == 200
    body = {"primary": "first", "method": "No interpolation", "loras": "<lora:small:1>", "custom_name": "baked"}
    answer = server.client.post("/internal/merge", json={**body, "wait": True})
    assert answer.status_code == 200, answer.text
    baked = load_file(answer.json()["path"])
    first = load_file(server.studio.library.find("first").path)
    assert any(not torch.equal(baked[key], first[key]) for key in baked)
    absent = server.client.post("/internal/merge", json={**body, "loras": "<lora:none_such:1>", "wait": True})
    assert absent.status_code == 422
    assert "none_such" in absent.json()["detail"]


def test_without_waiting_the_job_is_followed(server: Server) -> None:
    answer = server.client.post(
        "/internal/merge",
        json={"primary": "first", "secondary": "second", "custom_name": "later", "file_format": "ckpt"},
    ).json()
    finished = server.studio.jobs.wait(answer["job"]["id"], 60)
    assert server.client.get(f"/internal/jobs/{finished.id}").json()["state"] == "done"
    assert (server.studio.flags.ckpt_folders[0] / "later.ckpt").is_file()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"primary": "first"}, "model B"),
        ({"primary": "absent", "secondary": "second"}, "absent"),
        ({"primary": "first", "secondary": "second", "custom_name": "../out"}, "name"),
        ({"primary": "first", "secondary": "second", "blocks": "1,2"}, "weights per block"),
        ({"primary": "first", "secondary": "second", "vae": "none.pt"}, "VAE"),
        ({"primary": "first", "secondary": "second", "loras": "<lora:x:1:start=0.5>"}, "every step"),
    ],
)
def test_what_cannot_be_merged_is_said(server: Server, body: dict, words: str) -> None:
    answer = server.client.post("/internal/merge", json={**body, "wait": True})
    assert answer.status_code in (404, 422)
    assert words in answer.json()["detail"]
