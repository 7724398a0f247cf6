"""The API over the whole studio and the built-in model: what is asked is drawn, followed, stopped and kept."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from modules.studio.flag_table import Flags
from tests.sdapi.serving import Server, serving_studio

pytest.importorskip("torch")
from modules.studio.studio import Studio

BUILT_IN = Path("models/Stable-diffusion/atelier-mini.safetensors")
SMALL = {"prompt": "a red circle", "steps": 3, "width": 64, "height": 64, "seed": 5, "sampler_name": "Euler"}


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not (root / BUILT_IN).is_file():
        pytest.skip(f"{BUILT_IN} is not here")
    data = tmp_path_factory.mktemp("studio")
    studio = Studio(Flags(data_dir=data, models_dir=root / "models", hypernetwork_dir=data / "hypernetworks"))
    studio.start()
    with serving_studio(studio) as server:
        server.client.timeout = 120
        yield server


def drawn(answer: dict) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in answer["images"]]


def test_a_picture_and_its_text_agree(server: Server) -> None:
    answer = server.client.post("/sdapi/v1/txt2img", json={**SMALL, "batch_size": 2}).json()
    pictures, info = drawn(answer), json.loads(answer["info"])
    assert [picture.size for picture in pictures] == [(64, 64)] * 2
    assert [picture.info["parameters"] for picture in pictures] == info["infotexts"]
    assert info["all_seeds"] == [5, 6]
    assert info["sd_model_name"] == "atelier-mini"
    assert "Seed: 6, Size: 64x64" in info["infotexts"][1]


def test_the_text_of_a_picture_draws_it_again(server: Server) -> None:
    first = drawn(server.client.post("/sdapi/v1/txt2img", json={**SMALL, "seed": -1}).json())[0]
    found = server.client.post("/sdapi/v1/txt2img", json={"infotext": first.info["parameters"]}).json()
    assert drawn(found)[0].tobytes() == first.tobytes()


def test_pictures_are_saved_only_when_asked(server: Server) -> None:
    outputs = server.studio.flags.data_dir / "outputs"
    before = set(outputs.rglob("*.png"))
    server.client.post("/sdapi/v1/txt2img", json=SMALL)
    assert set(outputs.rglob("*.png")) == before
    answer = server.client.post("/sdapi/v1/txt2img", json={**SMALL, "save_images": True}).json()
    (saved,) = set(outputs.rglob("*.png")) - before
    assert saved.read_bytes() == base64.b64decode(answer["images"][0])


def test_progress_shows_a_picture_and_interrupt_keeps_one(server: Server) -> None:
    answers: list[dict] = []
    body = {**SMALL, "steps": 1000, "force_task_id": "task(long)"}
    asking = threading.Thread(target=lambda: answers.append(server.client.post("/sdapi/v1/txt2img", json=body).json()))
    asking.start()
    deadline = time.monotonic() + 60
    while (now := server.client.get("/sdapi/v1/progress").json())["current_image"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert now["state"]["sampling_steps"] == 1000
    assert now["current_task"] == "task(long)"
    server.client.post("/sdapi/v1/interrupt")
    asking.join(60)
    assert drawn(answers[0])[0].size == (64, 64)
    assert server.studio.jobs.get("task(long)").interrupted


def test_a_wrong_checkpoint_is_named_in_options_and_passed_over_in_requests(server: Server) -> None:
    """A1111 drops overrides that name no checkpoint, and clients with old names count on it."""
    response = server.client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "atelier-mni"})
    assert (response.status_code, "Did you mean 'atelier-mini" in response.json()["detail"]) == (404, True)
    body = {**SMALL, "override_settings": {"sd_model_checkpoint": "atelier-mni"}}
    answer = server.client.post("/sdapi/v1/txt2img", json=body).json()
    assert json.loads(answer["info"])["sd_model_name"] == "atelier-mini"
    assert server.client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "atelier-mini"}).status_code == 200


def test_the_model_is_listed(server: Server) -> None:
    (row,) = [row for row in server.client.get("/sdapi/v1/sd-models").json() if row["model_name"] == "atelier-mini"]
    assert set(row) == {"title", "model_name", "hash", "sha256", "filename", "config"}
    assert server.client.get("/sdapi/v1/memory").json()["ram"]["total"] > 0


def test_a_grid_comes_first_where_pictures_are_saved(server: Server) -> None:
    """A1111's API makes a grid only when it may save one."""
    body = {**SMALL, "batch_size": 2, "save_images": True}
    answer = server.client.post("/sdapi/v1/txt2img", json=body).json()
    info = json.loads(answer["info"])
    assert (len(answer["images"]), info["index_of_first_image"], len(info["infotexts"])) == (3, 1, 3)
    assert drawn(answer)[0].width > 64 or drawn(answer)[0].height > 64
    assert info["all_seeds"] == [5, 6]


def test_a_picture_that_is_sent_stands_for_the_first_pass(server: Server) -> None:
    hires = {**SMALL, "enable_hr": True, "hr_upscaler": "Lanczos", "hr_scale": 1.5, "denoising_strength": 0.5}
    (first,) = server.client.post("/sdapi/v1/txt2img", json=SMALL).json()["images"]
    through = server.client.post("/sdapi/v1/txt2img", json=hires).json()
    # The form's own size does not count: the picture has one.
    onto = server.client.post("/sdapi/v1/txt2img", json={**hires, "width": 512, "firstpass_image": first}).json()
    assert drawn(onto)[0].tobytes() == drawn(through)[0].tobytes()
    assert json.loads(onto["info"])["infotexts"] == json.loads(through["info"])["infotexts"]
    assert onto["parameters"]["firstpass_image"] is None


def test_a_new_embedding_begins_as_its_words(server: Server) -> None:
    asked = {"name": "my/cat", "num_vectors_per_token": 2, "init_text": "cat"}
    answer = server.client.post("/sdapi/v1/create/embedding", json=asked)
    assert answer.json()["info"].endswith("mycat.pt"), "a name is no path"
    row = server.client.get("/sdapi/v1/embeddings").json()["loaded"]["mycat"]
    assert (row["vectors"], row["step"]) == (2, 0)
    as_words = server.client.post("/sdapi/v1/txt2img", json={**SMALL, "prompt": "cat cat"}).json()
    as_name = server.client.post("/sdapi/v1/txt2img", json={**SMALL, "prompt": "mycat"}).json()
    assert drawn(as_name)[0].tobytes() == drawn(as_words)[0].tobytes()
    again = server.client.post("/sdapi/v1/create/embedding", json=asked)
    assert (again.status_code, "already" in again.json()["detail"]) == (422, True)
    assert server.client.post("/sdapi/v1/create/embedding", json={**asked, "overwrite_old": True}).status_code == 200
    assert server.client.post("/sdapi/v1/create/embedding", json={**asked, "name": "../"}).status_code == 422


def test_a_new_hypernetwork_is_listed_and_draws(server: Server) -> None:
    asked = {"name": "young", "enable_sizes": [768], "activation_func": "relu", "add_layer_norm": True}
    answer = server.client.post("/sdapi/v1/create/hypernetwork", json={**asked, "use_dropout": True})
    assert answer.json()["info"].endswith("young.pt"), answer.text
    assert [row["name"] for row in server.client.get("/sdapi/v1/hypernetworks").json()] == ["young"]
    drew = server.client.post("/sdapi/v1/txt2img", json={**SMALL, "prompt": "a cat <hypernet:young:1>"})
    assert drew.status_code == 200
    for wrong in (
        {"layer_structure": "1, 2"},
        {"activation_func": "rleu"},
        {"enable_sizes": [5]},
        {"weight_init": "x"},
    ):
        assert server.client.post("/sdapi/v1/create/hypernetwork", json={**asked, **wrong}).status_code == 422, wrong


def test_training_says_that_it_is_not_here(server: Server) -> None:
    answer = server.client.post("/sdapi/v1/train/embedding", json={"embedding_name": "x"})
    assert (answer.status_code, "does not train yet" in answer.json()["detail"]) == (501, True)
