"""The library of pictures over HTTP."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.sdapi.serving import Server
from tests.studio.test_gallery import save


@pytest.fixture
def pictures(server: Server) -> Iterator[list[Path]]:
    folder = server.studio.flags.data_dir / "outputs"
    paths = [save(folder / f"{number}.png", f"a cat number{number}", seed=2**60 + number) for number in range(5)]
    server.studio.gallery.added(paths)
    yield paths
    server.studio.gallery.index.forget([path.resolve() for path in paths])


def found(client: httpx.Client, search: str, **more) -> dict:
    return client.get("/internal/gallery", params={"search": search, **more}).json()


def test_pages_and_counts(client: httpx.Client, pictures: list[Path]) -> None:
    first = found(client, "cat", limit=3)
    second = found(client, "cat", limit=3, after=first["next"])
    ids = [one["id"] for one in first["pictures"] + second["pictures"]]
    assert len(set(ids)) == 5
    assert second["next"] is None
    assert client.get("/internal/gallery/count", params={"search": "cat"}).json() == {"count": 5}
    assert {"value": "anything", "count": 5} in client.get("/internal/gallery/values/model").json()


def test_a_picture_with_its_files(client: httpx.Client, pictures: list[Path]) -> None:
    (row,) = found(client, "number3")["pictures"]
    assert row["seed"] == str(2**60 + 3)
    one = client.get(f"/internal/gallery/picture/{row['id']}").json()
    assert one["infotext"].startswith("a cat number3\n")
    assert any("anything" in sentence for sentence in one["differs"])
    file = client.get(f"/internal/gallery/picture/{row['id']}/file")
    assert file.content == pictures[3].read_bytes()
    assert file.headers["content-type"] == "image/png"
    assert "sandbox" in file.headers["content-security-policy"]
    small = client.get(f"/internal/gallery/picture/{row['id']}/thumbnail")
    assert Image.open(io.BytesIO(small.content)).format == "WEBP"
    assert "immutable" in small.headers["cache-control"]


def test_marks(client: httpx.Client, pictures: list[Path]) -> None:
    (row,) = found(client, "number1")["pictures"]
    address = f"/internal/gallery/picture/{row['id']}"
    assert client.post(f"{address}/favourite", json={"favourite": True}).json()["favourite"]
    assert client.post(f"{address}/tags", json={"tags": ["nice one"]}).json()["tags"] == ["nice one"]
    assert [one["id"] for one in found(client, 'is:favourite tag:"nice one"')["pictures"]] == [row["id"]]
    client.post(f"{address}/favourite", json={"favourite": False})
    client.post(f"{address}/tags", json={"tags": []})


def test_deleting_and_taking_back(client: httpx.Client, pictures: list[Path]) -> None:
    (row,) = found(client, "number2")["pictures"]
    names = client.post("/internal/gallery/delete", json={"ids": [row["id"]]}).json()["names"]
    assert not pictures[2].exists()
    assert found(client, "number2")["pictures"] == []
    assert client.get("/internal/gallery/trash").json()[0]["name"] == names[0]
    client.post("/internal/gallery/restore", json={"names": names}).raise_for_status()
    assert pictures[2].is_file()
    assert len(found(client, "number2")["pictures"]) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/internal/gallery/picture/123", 404),
        ("/internal/gallery/picture/123/file", 404),
        ("/internal/gallery/picture/x", 422),
        ("/internal/gallery?after=¹", 422),
        ("/internal/gallery?after=--5", 422),
        ("/internal/gallery?after=9999999999999999999", 422),
        ("/internal/gallery/values/path", 400),
        ("/internal/gallery?search=seed:x", 400),
        ("/internal/gallery?after=x", 400),
        ("/internal/gallery?order=worst", 400),
    ],
)
def test_what_is_wrong_is_said(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code in (status, 422 if status == 400 else status)
    assert answer.json()["detail"]


def test_strangers_delete_nothing(served: Callable[..., Server]) -> None:
    server = served(listen=True)
    answer = server.client.post("/internal/gallery/delete", json={"ids": [1]})
    assert answer.status_code == 403
