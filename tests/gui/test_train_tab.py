"""The Train tab: the buttons' events make the files, and say what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from modules.studio import new_networks
from tests.gui.serving import app_of
from tests.gui.stand_in import StandIn


class Making(StandIn):
    def create_hypernetwork(self, *arguments, **options) -> Path:
        return new_networks.create_hypernetwork(self, *arguments, **options)


@contextmanager
def page(studio: Making) -> Iterator[TestClient]:
    with TestClient(app_of(studio), base_url="http://127.0.0.1:7860") as client:
        yield client
    studio.jobs.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with page(Making(tmp_path)) as client:
        yield client


def press(client: TestClient, elem_id: str, **changed: object) -> dict:
    """Presses a button of the page with the fields as they begin, but for `changed` (element id -> value)."""
    config = client.get("/config").json()
    parts = {one["id"]: one["props"] for one in config["components"]}
    button = next(number for number, props in parts.items() if props.get("elem_id") == elem_id)
    event = next(one for one in config["dependencies"] if [button, "click"] in one["targets"])
    data = [changed.get(parts[one]["elem_id"], parts[one].get("value")) for one in event["inputs"]]
    asked = {"fn_index": event["id"], "data": data, "session_hash": "train"}
    return client.post("/gradio_api/run/predict", json=asked).json()


def test_a_hypernetwork_is_made_and_not_written_over(client: TestClient, tmp_path: Path) -> None:
    prefix = "train_new_hypernetwork"
    fields = {f"{prefix}_name": "mine", f"{prefix}_sizes": ["320"], f"{prefix}_use_dropout": True}
    said = press(client, "train_create_hypernetwork", **fields)
    assert "mine" in said["data"][0]
    (file,) = tmp_path.rglob("mine.pt")
    state = torch.load(file, weights_only=True)
    assert state["layer_structure"] == [1, 2, 1]
    assert state[320][0]["linear.0.weight"].shape == (640, 320)
    assert "mine" in press(client, "train_create_hypernetwork", **fields)["error"]


def test_a_wrong_structure_is_a_sentence(client: TestClient, tmp_path: Path) -> None:
    fields = {"train_new_hypernetwork_name": "odd", "train_new_hypernetwork_layer_structure": "1, two"}
    assert "layer_structure" in press(client, "train_create_hypernetwork", **fields)["error"]
    assert not list(tmp_path.rglob("odd.pt"))


def test_strangers_write_no_models(tmp_path: Path) -> None:
    """Neither here nor in the Checkpoint Merger, where a page without a password is open to the network."""
    studio = Making(tmp_path)
    studio.flags = replace(studio.flags, listen=True, listen_without_auth=True)
    with page(studio) as client:
        made = press(client, "train_create_hypernetwork", train_new_hypernetwork_name="mine")
        merged = press(client, "modelmerger_merge", modelmerger_primary_model_name="atelier-mini")
    assert "without a password" in made["error"]
    assert "without a password" in str(merged)
    assert not list(tmp_path.rglob("mine.pt"))
    assert studio.merged == []
