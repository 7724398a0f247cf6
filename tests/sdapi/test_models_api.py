"""Models over the API: cards, notes, what a file is, uploads; nothing for strangers."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.sdapi.serving import Server
from tests.studio.lora_files import model_bytes, put


@pytest.fixture
def mine(served: Callable[..., Server]) -> Server:
    return served()


def lora_of(server: Server, name: str = "style") -> Path:
    return put(server.studio.flags.lora_dir / f"{name}.safetensors")


def test_cards_are_listed_with_previews_and_notes(mine: Server) -> None:
    path = lora_of(mine)
    put(path.with_suffix(".png"), b"picture")
    page = mine.client.get("/internal/models/cards/loras", params={"search": "sty"}).json()
    assert (page["total"], page["cards"][0]["prompt"]) == (1, "<lora:style:1>")
    picture = mine.client.get("/" + page["cards"][0]["preview"])
    assert (picture.content, picture.headers["content-type"]) == (b"picture", "image/png")
    body = {"kind": "loras", "name": "style", "changes": {"activation text": "in style"}}
    assert mine.client.post("/internal/models/notes", json=body).json()["prompt"] == "<lora:style:1> in style"
    assert mine.client.get("/internal/models/card/loras", params={"name": "style"}).json()["notes"]
    assert mine.client.get("/internal/models/preview/loras", params={"name": "../style"}).status_code == 404
    assert mine.client.get("/internal/models/hashing").json() == {"done": 0, "total": 0, "name": ""}


def test_a_file_says_what_it_is_and_goes_where_it_belongs(mine: Server) -> None:
    wrong = put(mine.studio.flags.models_dir / "VAE" / "style.safetensors")
    report = mine.client.post("/internal/models/inspect", json={"path": str(wrong)}).json()
    assert (report["kind"], report["in_place"]) == ("network", False)
    hashes = mine.client.post("/internal/models/hashes", json={"path": str(wrong)}).json()
    assert set(hashes) == {"SHA256", "AutoV1", "AutoV2", "AutoV3"}
    there = mine.client.post("/internal/models/place", json={"path": str(wrong)}).json()["path"]
    assert Path(there) == mine.studio.flags.lora_dir / "style.safetensors"
    assert mine.client.post("/internal/models/inspect", json={"path": "/etc/passwd"}).status_code == 403


def test_a_dropped_file_is_looked_at_and_uploaded(mine: Server) -> None:
    data = model_bytes()
    body = {"name": "s.safetensors", "size": len(data), "beginning": base64.b64encode(data).decode()}
    assert mine.client.post("/internal/models/inspect-beginning", json=body).json()["base"] == "SD 1.x"
    upload = mine.client.post("/internal/models/uploads", json={"name": "s.safetensors", "size": len(data)}).json()
    address = f"/internal/models/uploads/{upload['id']}"
    piece = {"offset": 0, "data": base64.b64encode(data).decode()}
    assert mine.client.post(address, json=piece).json() == {"written": len(data)}
    done = mine.client.post(f"{address}/finish").json()
    assert Path(done["path"]).read_bytes() == data
    assert mine.client.post(address, json=piece).status_code == 404
    assert mine.client.post("/internal/models/uploads/x", json={"offset": 0, "data": "!"}).status_code == 422


@pytest.mark.parametrize("address", ["notes", "place", "uploads", "uploads/x", "uploads/x/finish", "uploads/x/drop"])
def test_strangers_write_nothing(served: Callable[..., Server], address: str) -> None:
    server = served(listen=True, listen_without_auth=True)
    body = {"kind": "loras", "name": "a", "changes": {}, "path": "x", "size": 1, "offset": 0, "data": ""}
    answer = server.client.post(f"/internal/models/{address}", json=body)
    assert answer.status_code == 403
    assert "password" in answer.json()["detail"]


def test_whoever_logs_in_may(served: Callable[..., Server]) -> None:
    server = served(listen=True, gradio_auth="me:secret")
    body = {"name": "s.safetensors", "size": 10}
    assert server.client.post("/internal/models/uploads", json=body).status_code == 401
    auth = httpx.BasicAuth("me", "secret")
    assert server.client.post("/internal/models/uploads", json=body, auth=auth).status_code == 200
