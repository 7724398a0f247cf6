"""Extensions over HTTP: looked at first, changed only with the token, never by strangers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import httpx
import pytest

from modules.sdapi.extension_routes import TOKEN
from tests.sdapi.serving import Server
from tests.studio.test_extension_manager import zipped

ZIP = base64.b64encode(zipped({"demo-main/scripts/demo.py": "import requests\n"})).decode()


def headers(client: httpx.Client) -> dict[str, str]:
    return {TOKEN: client.get("/internal/extensions/token").json()["token"]}


def test_from_a_zip_to_the_list_and_away(served: Callable[..., Server]) -> None:
    client = served().client
    known = headers(client)
    found = client.post("/internal/extensions/archive", json={"name": "demo.zip", "data": ZIP}, headers=known).json()
    assert found["name"] == "demo"
    assert found["review"]["findings"][0]["what"] == "network"
    assert client.get("/internal/extensions").json()["extensions"] == []
    done = client.post("/internal/extensions/install", json={"token": found["token"]}, headers=known).json()
    assert done["done"]
    assert done["changed"] == []
    (row,) = client.get("/internal/extensions").json()["extensions"]
    assert (row["name"], row["enabled"], row["source"], row["adds"]["scripts"]) == ("demo", True, "zip", 1)
    client.post("/internal/extensions/enabled", json={"disabled": ["demo"]}, headers=known).raise_for_status()
    assert not client.get("/internal/extensions").json()["extensions"][0]["enabled"]
    file = client.post("/internal/extensions/states", json={"name": "mine"}, headers=known).json()["file"]
    assert client.get(f"/internal/extensions/states/{file}").json() == []
    client.post("/internal/extensions/remove", json={"name": "demo"}, headers=known).raise_for_status()
    assert client.get("/internal/extensions").json()["extensions"] == []
    assert client.get(f"/internal/extensions/states/{file}").json()[0]["now"] == "not installed"


CHANGES = [
    ("fetch", {"url": "https://example.org/x.git"}),
    ("folder", {"path": "/etc"}),
    ("archive", {"name": "a.zip", "data": ZIP}),
    ("check", {"name": "x"}),
    ("install", {"token": "x"}),
    ("dismiss", {"token": "x"}),
    ("roll-back", {"name": "x"}),
    ("remove", {"name": "x"}),
    ("enabled", {"disabled": []}),
    ("available", {"url": ""}),
    ("states", {"name": "x"}),
    ("states/restore", {"file": "x"}),
]


@pytest.mark.parametrize(("path", "body"), CHANGES, ids=[path for path, _ in CHANGES])
def test_nothing_changes_without_the_token(client: httpx.Client, path: str, body: dict) -> None:
    for known in ({}, {TOKEN: "guess"}, {TOKEN: "ä"}):
        answer = client.post(
            f"/internal/extensions/{path}", json=body, headers={k: v.encode() for k, v in known.items()}
        )
        assert answer.status_code == 403, answer.text


@pytest.mark.parametrize(("path", "body"), CHANGES, ids=[path for path, _ in CHANGES])
def test_strangers_get_neither_token_nor_change(served: Callable[..., Server], path: str, body: dict) -> None:
    client = served(listen=True).client
    assert client.get("/internal/extensions/token").status_code == 403
    assert client.post(f"/internal/extensions/{path}", json=body).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("fetch", {"url": "file:///etc"}, "no address"),
        ("fetch", {"url": "https://example.org/.."}, "folder of an extension"),
        ("folder", {"path": "/no/such/folder"}, "no folder"),
        ("archive", {"name": "a.zip", "data": "bm8="}, "no ZIP"),
        ("install", {"token": "x"}, "no longer"),
        ("remove", {"name": "../x"}, "no extension"),
        ("enabled", {"disabled": ["nope"]}, "nope"),
        ("states/restore", {"file": "../x"}, "no backup"),
        ("available", {"url": "http://127.0.0.1:1/x"}, "cannot be reached"),
    ],
)
def test_what_is_wrong_is_said(client: httpx.Client, path: str, body: dict, said: str) -> None:
    answer = client.post(f"/internal/extensions/{path}", json=body, headers=headers(client))
    assert 400 <= answer.status_code < 500, answer.text
    assert said in answer.text


def test_the_list_hides_what_is_here(served: Callable[..., Server]) -> None:
    server = served()
    client, known = server.client, headers(server.client)
    found = client.post("/internal/extensions/archive", json={"name": "demo.zip", "data": ZIP}, headers=known).json()
    client.post("/internal/extensions/install", json={"token": found["token"]}, headers=known).raise_for_status()
    offers = [{"name": name, "url": f"https://github.com/a/{name}.git", "tags": ["tab"]} for name in ("demo", "other")]
    cache = server.studio.flags.cache_dir / "extensions.json"
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps({"extensions": offers, "tags": {"tab": "adds a tab"}}))
    shown = client.get("/internal/extensions/available").json()
    assert [one["name"] for one in shown["offers"]] == ["other"]
    assert set(shown["tags"]) == {"tab", "installed"}
    everything = client.get("/internal/extensions/available", params={"hide": "", "order": "a-z"}).json()["offers"]
    assert [(one["name"], one["installed"]) for one in everything] == [("demo", True), ("other", False)]


def test_all_may_be_left_out_without_forgetting_which_are_off(served: Callable[..., Server]) -> None:
    client = served().client
    known = headers(client)
    for all_off in (True, False):
        body = {"disabled": [], "all_off": all_off}
        client.post("/internal/extensions/enabled", json=body, headers=known).raise_for_status()
        assert client.get("/internal/extensions").json()["all_off"] == all_off
