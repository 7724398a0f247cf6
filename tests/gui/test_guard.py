"""What a forged payload names is never read: the variants found by measuring Gradio 6.31, against real routes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from modules.gui.front import FrontDoor
from modules.gui.guard import GuardedBlocks, refuse_forged

SECRET = "nobody may read this"
KINDS = ("file", "image", "gallery", "gallery_paths", "editor")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    (folder / "secret.txt").write_text(SECRET)
    Image.new("RGB", (8, 8), "red").save(folder / "secret.png")
    (folder / "outputs").mkdir()
    Image.new("RGB", (8, 8), "green").save(folder / "outputs" / "picture.png")
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """An app with one event per kind of component, each answering with what its handler was given."""
    opened: list[object] = []

    def answer(value: object) -> str:
        opened.append(value)
        if isinstance(value, str) and value.endswith(".txt"):
            return Path(value).read_text()
        return repr(value)

    demo = GuardedBlocks(folders=lambda: [folder / "outputs"], analytics_enabled=False)
    with demo:
        out = gr.Textbox()
        components = {
            "file": gr.File(),
            "image": gr.Image(type="filepath"),
            "gallery": gr.Gallery(type="pil", interactive=True),
            "gallery_paths": gr.Gallery(type="filepath", interactive=True),
            "editor": gr.ImageEditor(),
        }
        for name, component in components.items():
            component.change(answer, component, out, api_name=name, queue=False)
    app = gr.mount_gradio_app(FastAPI(), demo, path="/", run_history=False)
    demo.mounted()
    with TestClient(app) as client:
        client.opened = opened  # type: ignore[attr-defined]
        yield client


def ask(client: TestClient, kind: str, value: object) -> tuple[int, str]:
    """Status and body of an event called with `value`."""
    numbers = {entry["api_name"]: entry["id"] for entry in client.get("/config").json()["dependencies"]}
    answer = client.post(
        "/gradio_api/run/predict", json={"data": [value], "fn_index": numbers[kind], "session_hash": "forger"}
    )
    return answer.status_code, answer.text


def wrapped(kind: str, file: dict) -> object:
    if kind.startswith("gallery"):
        return [{"image": file, "caption": None}]
    return {"background": file, "layers": [], "composite": None} if kind == "editor" else file


def forgeries(folder: Path, upload: Path) -> dict[str, str]:
    up = "/".join([".."] * (len(upload.parts) - 1))
    return {
        "absolute": str(folder / "secret.png"),
        "traversal": f"{upload}/{up}{folder}/secret.png",
        "relative": "pyproject.toml",
        "upper-case url": f"FILE://{folder}/secret.png",
        "url": "HTTP://127.0.0.1:9/secret.png",
        "data folder": str(folder / "outputs" / ".." / "secret.png"),
        "text": str(folder / "secret.txt"),
        "share": "//server/share/secret.png",
    }


@pytest.mark.parametrize("meta", [True, False], ids=["with meta", "without meta"])
@pytest.mark.parametrize(
    "forgery", ["absolute", "traversal", "relative", "upper-case url", "url", "data folder", "text", "share"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_path_is_refused(client: TestClient, folder: Path, kind: str, forgery: str, meta: bool) -> None:
    from gradio import utils

    file = {"path": forgeries(folder, Path(utils.get_upload_folder()))[forgery], "orig_name": "a.png"}
    if meta:
        file["meta"] = {"_type": "gradio.FileData"}
    client.opened.clear()
    status, body = ask(client, kind, wrapped(kind, file))
    assert client.opened == []
    assert status == 500
    assert "only takes" in body
    assert SECRET not in body


def test_a_url_beside_no_path_is_not_followed(client: TestClient, folder: Path) -> None:
    client.opened.clear()
    for url in (f"file://{folder}/secret.png", f"/gradio_api/file={folder}/secret.png"):
        ask(client, "image", {"path": None, "url": url, "meta": {"_type": "gradio.FileData"}})
    assert [value for value in client.opened if value] == []


def test_an_upload_passes(client: TestClient, folder: Path) -> None:
    uploaded = client.post("/gradio_api/upload", files={"files": ("mine.txt", b"my own text")}).json()[0]
    status, body = ask(client, "file", {"path": uploaded, "meta": {"_type": "gradio.FileData"}})
    assert (status, json.loads(body)["data"]) == (200, ["my own text"])


def test_a_picture_of_ours_passes(client: TestClient, folder: Path) -> None:
    with pytest.raises(gr.Error):
        refuse_forged({"path": str(folder / "secret.png")}, [folder / "outputs"])
    refuse_forged({"path": str(folder / "outputs" / "picture.png")}, [folder / "outputs"])


def test_a_forged_path_fetched_by_get_is_not_found(client: TestClient, folder: Path) -> None:
    for name in ("secret.png", "secret.txt"):
        assert client.get(f"/gradio_api/file={folder / name}").status_code in (403, 404)


def test_a_dressed_up_upload_cannot_run_as_the_page(client: TestClient) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    uploaded = client.post("/gradio_api/upload", files={"files": ("a.svg", svg)}).json()[0]
    ask(client, "file", {"path": uploaded, "meta": {"_type": "gradio.FileData"}})
    with TestClient(FrontDoor(client.app, "", lambda: None)) as fronted:
        answer = fronted.get(f"/gradio_api/file={uploaded}")
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert answer.headers["x-content-type-options"] == "nosniff"
