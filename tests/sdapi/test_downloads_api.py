"""Downloads over the API: offers, progress, an end; keys that come out nowhere; nothing for strangers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from modules.studio.downloads.helper_files import HELPERS, helper_called, mentioned_in
from tests.sdapi.serving import Server
from tests.studio.downloads.bad_server import BadServer, bad_server, until
from tests.studio.lora_files import model_bytes


@pytest.fixture
def place() -> Iterator[BadServer]:
    with bad_server() as server:
        yield server


def test_a_link_becomes_a_file_and_can_be_followed(served: Callable[..., Server], place: BadServer) -> None:
    server = served()
    url = place.serves("/style.safetensors", model_bytes())
    (offer,) = server.client.post("/internal/downloads/offers", json={"link": url}).json()
    assert (offer["name"], offer["is_safe"]) == ("style.safetensors", True)
    begun = server.client.post("/internal/downloads", json={"link": url}).json()
    address = f"/internal/downloads/{begun['id']}"
    until(lambda: server.client.get(address).json()["state"] == "done")
    assert (server.studio.flags.lora_dir / "style.safetensors").is_file()
    (listed,) = server.client.get("/internal/downloads").json()["downloads"]
    assert (listed["kind"], listed["written"]) == ("network", len(model_bytes()))
    page = server.client.get("/internal/models/cards/loras").json()
    assert page["cards"][0]["name"] == "style", "lists know it at once"
    assert server.client.post(f"{address}/pause").json()["state"] == "done"
    assert server.client.post(f"{address}/resume", json={}).json()["state"] == "done"
    assert server.client.post(f"{address}/cancel").status_code == 200
    assert server.client.get(address).status_code in (403, 404)


def test_what_cannot_be_downloaded_is_told(served: Callable[..., Server]) -> None:
    server = served()
    assert server.client.post("/internal/downloads", json={"link": "cat"}).status_code == 422
    for host in ("127.0.0.1", "10.0.0.1", "[::1]", "localhost"):
        begun = server.client.post("/internal/downloads", json={"link": f"http://{host}/x.safetensors"}).json()
        download = server.studio.downloads.get(begun["id"])
        until(lambda: download.state == "failed")  # noqa: B023 - asked at once, before the next turn
        assert "private network" in download.sentence


def test_keys_go_in_and_never_out(served: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CIVITAI_TOKEN", "CIVITAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server = served()
    body = {"site": "civitai", "key": "very-secret"}
    assert server.client.post("/internal/downloads/keys", json=body).json() == {"civitai": True, "hub": False}
    assert server.studio.keys.get("civitai") == "very-secret"
    for address in ("/internal/downloads", "/sdapi/v1/options", "/sdapi/v1/cmd-flags", "/internal/sysinfo"):
        assert "very-secret" not in server.client.get(address).text
    for address in ("/file=private/keys.json", "/gradio_api/file=private/keys.json", "/private/keys.json"):
        assert server.client.get(address).status_code in (403, 404)


@pytest.mark.parametrize("address", ["", "/offers", "/keys", "/x/cancel", "/x/pause", "/x/resume"])
def test_strangers_download_nothing(served: Callable[..., Server], address: str) -> None:
    server = served(listen=True, listen_without_auth=True)
    answer = server.client.post(
        f"/internal/downloads{address}", json={"link": "https://example.org/x.pt", "site": "hub", "key": "x"}
    )
    assert answer.status_code == 403


def test_missing_helpers_are_offered(served: Callable[..., Server]) -> None:
    server = served()
    every = server.client.get("/internal/downloads/helpers").json()
    assert len(every) == len(HELPERS)
    sentence = (
        "CodeFormer cannot repair faces yet: its weights are not here. Put codeformer-v0.1.0.pth into the folder."
    )
    (offered,) = server.client.get("/internal/downloads/helpers", params={"sentence": sentence}).json()
    assert (offered["name"], offered["kind"]) == ("codeformer.pth", "face restorer")
    folder = server.studio.flags.gfpgan_models_path
    folder.mkdir(parents=True)
    (folder / "CodeFormer.pth").touch()
    assert server.client.get("/internal/downloads/helpers", params={"sentence": sentence}).json() == []


def test_helpers_are_named_once_and_lead_to_public_https() -> None:
    names = [helper.name.lower() for helper in HELPERS]
    assert len(names) == len(set(names))
    assert all(helper.link.startswith("https://") and helper.link.endswith(helper.name) for helper in HELPERS)
    assert helper_called("T5-XXL") == helper_called("t5xxl_fp8_e4m3fn.safetensors")
    assert mentioned_in("nothing of that kind") == ()
