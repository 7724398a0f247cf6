"""Memory, unloading and reloading in every state that a studio can be in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.studio.flag_table import Flags
from tests.sdapi.serving import Server, serving_studio

pytest.importorskip("torch")
from modules.studio.studio import Studio

BUILT_IN = Path("models/Stable-diffusion/atelier-mini.safetensors")
SMALL = {"prompt": "a red circle", "steps": 2, "width": 64, "height": 64, "seed": 5, "sampler_name": "Euler"}


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[Server]:
    """A server whose engine nobody has needed yet."""
    if not (root / BUILT_IN).is_file():
        pytest.skip(f"{BUILT_IN} is not here")
    studio = Studio(Flags(data_dir=tmp_path, models_dir=root / "models", hypernetwork_dir=tmp_path / "hypernetworks"))
    with serving_studio(studio) as server:
        server.client.timeout = 120
        yield server


def held(server: Server) -> list[str] | None:
    """The checkpoints in memory, None before the engine has started."""
    studio = server.studio
    return studio.engine.when_started(lambda tools: [info.model_name for info in tools.models.held()])


def post(server: Server, path: str) -> object:
    answer = server.client.post(f"/sdapi/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_before_the_engine_has_started(server: Server) -> None:
    memory = server.client.get("/sdapi/v1/memory").json()
    assert 0 < memory["ram"]["used"] < memory["ram"]["total"]
    assert memory["ram"]["free"] == memory["ram"]["total"] - memory["ram"]["used"]
    assert "not started" in memory["cuda"]["error"]
    assert post(server, "unload-checkpoint") == {}
    assert held(server) is None  # nothing was started in order to be dropped
    assert post(server, "reload-checkpoint") == {}
    assert held(server) == ["atelier-mini"]
    assert "error" in server.client.get("/sdapi/v1/memory").json()["cuda"]


def test_unloading_twice_and_drawing_after_it(server: Server) -> None:
    server.studio.start()
    assert server.client.post("/sdapi/v1/txt2img", json=SMALL).status_code == 200
    for _ in range(2):
        assert post(server, "unload-checkpoint") == {}
        assert held(server) == []
        assert server.client.get("/sdapi/v1/memory").status_code == 200
    assert len(server.client.post("/sdapi/v1/txt2img", json=SMALL).json()["images"]) == 1
    assert post(server, "reload-checkpoint") == {}
    assert held(server) == ["atelier-mini"]


def test_during_a_job_memory_answers_and_unloading_waits(server: Server) -> None:
    server.studio.start()
    answers: dict[str, object] = {}

    def ask(name: str, path: str, body: dict[str, object] | None = None) -> threading.Thread:
        thread = threading.Thread(
            target=lambda: answers.update({name: server.client.post(f"/sdapi/v1/{path}", json=body).json()})
        )
        thread.start()
        return thread

    drawing = ask("drawn", "txt2img", {**SMALL, "steps": 2000})
    deadline = time.monotonic() + 60
    while server.client.get("/sdapi/v1/progress").json()["state"]["sampling_step"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    unloading = ask("unloaded", "unload-checkpoint")
    assert server.client.get("/sdapi/v1/memory").json()["ram"]["total"] > 0
    assert "unloaded" not in answers
    assert held(server) == ["atelier-mini"]
    server.client.post("/sdapi/v1/interrupt")
    drawing.join(60)
    unloading.join(60)
    assert answers["unloaded"] == {}
    assert held(server) == []
