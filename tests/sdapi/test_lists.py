"""Lists, options and the server's own routes, in A1111's shapes."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from tests.sdapi.serving import Server


def test_options_are_read_and_written(server: Server) -> None:
    client = server.client
    options = client.get("/sdapi/v1/options").json()
    assert {"samples_format", "CLIP_stop_at_last_layers", "sd_model_checkpoint"} <= set(options)
    assert client.post("/sdapi/v1/options", json={"jpeg_quality": 81}).json() is None
    assert client.get("/sdapi/v1/options").json()["jpeg_quality"] == 81
    assert client.post("/sdapi/v1/options", json=options).status_code == 200, "what was read may be sent back"
    assert client.get("/sdapi/v1/options").json()["jpeg_quality"] == options["jpeg_quality"] != 81


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"jpeg_qualty": 1}, "jpeg_quality"),
        ({"jpeg_quality": "high"}, "uality"),
        ({"jpeg_quality": float("nan")}, "nan"),
    ],
)
def test_wrong_options_change_nothing(client: httpx.Client, values: dict[str, object], words: str) -> None:
    import json

    body = json.dumps({"samples_save": False, **values})
    response = client.post("/sdapi/v1/options", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert words in response.json()["errors"]
    assert client.get("/sdapi/v1/options").json()["samples_save"] is True


def test_what_requests_may_not_set_is_passed_over(client: httpx.Client) -> None:
    before = client.get("/sdapi/v1/options").json()["api_forbid_local_requests"]
    assert client.post("/sdapi/v1/options", json={"api_forbid_local_requests": not before}).status_code == 200
    assert client.get("/sdapi/v1/options").json()["api_forbid_local_requests"] == before


def test_frozen_settings_are_refused(served: Callable[..., Server]) -> None:
    response = served(freeze_settings=True).client.post("/sdapi/v1/options", json={"jpeg_quality": 50})
    assert response.status_code == 403
    assert "--freeze-settings" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("samplers", {"name", "aliases", "options"}),
        ("schedulers", {"name", "label", "aliases", "default_rho", "need_inner_model"}),
        ("upscalers", {"name", "model_name", "model_path", "model_url", "scale"}),
        ("latent-upscale-modes", {"name"}),
    ],
)
def test_lists_have_a1111s_rows(client: httpx.Client, path: str, keys: set[str]) -> None:
    rows = client.get(f"/sdapi/v1/{path}").json()
    assert rows
    assert all(set(row) == keys for row in rows)


@pytest.mark.parametrize(
    "path",
    [
        *("sd-models", "sd-vae", "hypernetworks", "face-restorers", "realesrgan-models", "prompt-styles", "loras"),
        *("extensions", "script-info"),
    ],
)
def test_every_list_answers(client: httpx.Client, path: str) -> None:
    assert isinstance(client.get(f"/sdapi/v1/{path}").json(), list)


def test_other_reads(client: httpx.Client) -> None:
    assert set(client.get("/sdapi/v1/embeddings").json()) == {"loaded", "skipped"}
    assert set(client.get("/sdapi/v1/scripts").json()) == {"txt2img", "img2img"}
    assert set(client.get("/sdapi/v1/memory").json()) == {"ram", "cuda"}
    assert client.get("/sdapi/v1/cmd-flags").json()["api_auth"] is None
    assert client.get("/internal/ping").json() == {}
    assert {"name": "jpeg_quality", "label": "Quality for saved jpeg and avif images"} in client.get(
        "/internal/quicksettings-hint"
    ).json()
    assert set(client.get("/internal/profile-startup").json()) == {"total", "records"}
    assert client.get("/internal/sysinfo").json()["Version"] == "test"
    assert "attachment" in client.get("/internal/sysinfo-download").headers["Content-Disposition"]


@pytest.mark.parametrize("path", ["refresh-checkpoints", "refresh-vae", "refresh-embeddings", "refresh-loras"])
def test_refreshing_answers_null(client: httpx.Client, path: str) -> None:
    response = client.post(f"/sdapi/v1/{path}")
    assert (response.status_code, response.json()) == (200, None)


def test_unloading_answers_an_empty_object(client: httpx.Client) -> None:
    for path in ("unload-checkpoint", "reload-checkpoint"):
        assert client.post(f"/sdapi/v1/{path}").json() == {}


def test_the_server_stops_only_when_it_was_allowed(server: Server, served: Callable[..., Server]) -> None:
    assert server.client.post("/sdapi/v1/server-stop").status_code == 404
    other = served(api_server_stop=True)
    assert other.client.post("/sdapi/v1/server-restart").status_code == 501
    assert other.client.post("/sdapi/v1/server-stop").json() == "Stopping."
    deadline = time.monotonic() + 5
    while not other.studio.stopped and time.monotonic() < deadline:
        time.sleep(0.01)
    assert other.studio.stopped == [False]


def test_answers_are_compressed(client: httpx.Client) -> None:
    assert client.get("/sdapi/v1/options").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in client.get("/internal/ping").headers


def test_unknown_addresses_are_404_in_our_words(client: httpx.Client) -> None:
    response = client.get("/sdapi/v1/nothing")
    assert (response.status_code, set(response.json())) == (404, {"error", "detail", "body", "errors"})
    assert client.get("/sdapi/v1/txt2img").status_code == 405
