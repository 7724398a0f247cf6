"""The browser is told what it reads: the page works as if described in full, and clients of the API are served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from modules.a1111.gradio3.updates import write_no_stubs
from modules.gui.guard import GuardedBlocks

# As for extensions: a component that is declared here leaves no file beside this one.
write_no_stubs()


class Shouting(gr.Button):
    """A kind of button, which the browser shows as one."""

    is_template = True


class Dial(gr.components.Component):
    """A component whose browser part comes with it."""

    EVENTS: list[str] = []

    def preprocess(self, payload: object) -> object:
        return payload

    def postprocess(self, value: object) -> object:
        return value

    def api_info(self) -> Any:
        return {"type": "number"}

    def example_payload(self) -> int:
        return 1

    example_value = example_payload


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    demo = GuardedBlocks(folders=list, analytics_enabled=False)
    with demo:
        given, got = gr.Textbox(value="x"), gr.Textbox()
        private, button = gr.Gallery(), Shouting("!", key="one")
        Dial()
        shout = button.click(str.upper, given, got, api_name="shout")
        shout.success(lambda: None, None, private, api_visibility="private")
    app = FastAPI()
    with demo.described_once():
        gr.mount_gradio_app(app, demo, path="/", run_history=False)
    demo.mounted()
    with demo:
        # As extensions do once the page stands.
        late = gr.Textbox(elem_id="late")
        late.change(str.lower, late, got, api_name="whisper")
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def config(client: TestClient) -> Any:
    return client.get("/config").json()


def kind(config: Any, name: str) -> Any:
    return [one for one in config["components"] if one["type"] == name]


def test_what_no_client_fills_is_not_described_to_clients(config: Any) -> None:
    assert "api_info" not in kind(config, "gallery")[0]
    assert all("api_info" in one for one in kind(config, "textbox"))


def test_clients_of_the_api_are_told_what_it_takes(client: TestClient) -> None:
    endpoints = client.get("/gradio_api/info").json()["named_endpoints"]
    assert list(endpoints) == ["/shout", "/whisper"]
    assert endpoints["/shout"]["parameters"][0]["type"] == {"type": "string"}
    assert client.post("/gradio_api/run/shout", json={"data": ["hush"]}).json()["data"] == ["HUSH"]


def test_only_what_the_browser_lacks_is_to_be_fetched(config: Any) -> None:
    assert kind(config, "dial")[0]["component_class_id"]
    assert "component_class_id" not in kind(config, "button")[0]
    assert kind(config, "button")[0]["key"]


def test_an_event_that_follows_another_says_so(config: Any) -> None:
    first, second, _ = config["dependencies"]
    assert "trigger_after" not in first
    assert second["trigger_after"] == first["id"]
    assert second["trigger_only_on_success"] is True


def test_what_joins_a_served_page_is_described(client: TestClient, config: Any) -> None:
    assert any(one["props"].get("elem_id") == "late" for one in config["components"])
    assert client.post("/gradio_api/run/whisper", json={"data": ["HUSH"]}).json()["data"] == ["hush"]
