"""Following jobs over HTTP and WebSockets, and stopping them."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from modules.terms.request import GenerationRequest
from tests.sdapi.serving import Server

LONG = {"prompt": "long", "steps": 1000, "width": 64, "height": 64}


class Held:
    """A job that stands at its third step until it is let go."""

    def __init__(self, server: Server) -> None:
        self.at_step, self.go = threading.Event(), threading.Event()
        self.server = server
        server.studio.draw_step = self.step
        self.job = server.studio.jobs.submit(GenerationRequest(prompt="held", steps=4), task_id="task(held)")

    def step(self, job: object, step: int) -> None:
        if step == 4:
            self.at_step.set()
            self.go.wait(10)


@pytest.fixture
def held(server: Server) -> Iterator[Held]:
    held = Held(server)
    assert held.at_step.wait(10)
    yield held
    held.go.set()


@contextmanager
def socket_of(server: Server, job: str) -> Iterator[ClientConnection]:
    with connect(f"{server.url.replace('http', 'ws')}/internal/jobs{job}") as socket:
        yield socket


def everything(socket: ClientConnection) -> tuple[list[dict], list[bytes]]:
    """(views, previews) until the other side closes."""
    views, previews = [], []
    try:
        while True:
            message = socket.recv(timeout=10)
            (previews if isinstance(message, bytes) else views).append(message)
    except ConnectionClosed:
        return [json.loads(view) for view in views], previews


def test_idle_progress_is_zero(client: httpx.Client) -> None:
    answer = client.get("/sdapi/v1/progress").json()
    assert (answer["progress"], answer["eta_relative"], answer["current_image"]) == (0, 0, None)
    assert answer["state"]["job_count"] == 0


def test_progress_of_a_running_job(held: Held) -> None:
    answer = held.server.client.get("/sdapi/v1/progress").json()
    assert answer["progress"] == pytest.approx(0.01 + 3 / 4)
    state = answer["state"]
    assert (state["sampling_step"], state["sampling_steps"], state["job_count"], state["job_no"]) == (3, 4, 1, 0)
    assert state["job"] == "Batch 1 out of 1"
    assert answer["current_task"] == "task(held)"
    assert Image.open(io.BytesIO(base64.b64decode(answer["current_image"]))).size == (8, 8)
    assert held.server.client.get("/sdapi/v1/progress?skip_current_image=true").json()["current_image"] is None


def test_progress_by_task(held: Held) -> None:
    def ask(**body: object) -> dict:
        return held.server.client.post("/internal/progress", json={"id_task": "task(held)", **body}).json()

    first = ask()
    assert (first["active"], first["queued"], first["completed"]) == (True, False, False)
    assert first["progress"] == 0.75
    assert first["live_preview"].startswith("data:image/png;base64,")
    again = ask(id_live_preview=first["id_live_preview"])
    assert again["live_preview"] is None, "the same preview is not sent twice"
    assert ask(live_preview=False)["live_preview"] is None
    held.server.studio.jobs.submit(GenerationRequest(), task_id="task(next)")
    waiting = held.server.client.post("/internal/progress", json={"id_task": "task(next)"}).json()
    assert (waiting["active"], waiting["queued"], waiting["textinfo"]) == (False, True, "In queue: 1/1")
    assert held.server.client.get("/internal/pending-tasks").json() == {"size": 1, "tasks": ["task(next)"]}
    nobody = held.server.client.post("/internal/progress", json={"id_task": "no such task"}).json()
    assert (nobody["active"], nobody["queued"], nobody["completed"]) == (False, False, False)
    held.server.studio.jobs.cancel("task(next)")


def test_interrupt_before_a_step_and_skip(server: Server) -> None:
    began = threading.Event()
    server.studio.draw_step = lambda job, step: (began.set(), time.sleep(0.01))
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(httpx.post(f"{server.url}/sdapi/v1/txt2img", json=LONG)))
    asking.start()
    assert began.wait(10)
    assert server.client.post("/sdapi/v1/interrupt").json() == {}
    asking.join(10)
    assert not asking.is_alive()
    # This drawing keeps nothing, so its job was thrown away; the client hears it.
    assert (answers[0].status_code, answers[0].json()["detail"]) == (409, "The job was interrupted.")
    for path in ("interrupt", "skip"):
        assert server.client.post(f"/sdapi/v1/{path}").status_code == 200, "with nothing running it does nothing"


def test_a_socket_tells_everything_up_to_the_end(server: Server) -> None:
    """The last message is never missed, whenever the socket opens: before, during or after the job."""
    for _ in range(5):
        job = server.studio.jobs.submit(GenerationRequest(steps=20))
        with socket_of(server, f"/{job.id}") as socket:
            views, _ = everything(socket)
        assert views[-1]["state"] == "done"
        with socket_of(server, f"/{job.task_id}") as socket:
            views, _ = everything(socket)
        assert [view["state"] for view in views] == ["done"]


def test_a_socket_sends_previews_when_wanted(held: Held) -> None:
    with socket_of(held.server, f"/{held.job.id}") as socket:
        assert json.loads(socket.recv(timeout=5))["step"] == 3
        assert Image.open(io.BytesIO(socket.recv(timeout=5))).size == (8, 8)
    with socket_of(held.server, f"/{held.job.id}?previews=false") as socket:
        socket.recv(timeout=5)
        held.go.set()
        views, previews = everything(socket)
    assert (views[-1]["state"], previews) == ("done", [])


def test_a_socket_for_an_unknown_job_says_so(server: Server) -> None:
    with socket_of(server, "/nothing") as socket:
        assert everything(socket) == ([], [])
        assert socket.close_code == 4404
    assert server.client.get("/internal/jobs/nothing").status_code == 404


def test_a_socket_for_all_jobs(held: Held) -> None:
    with socket_of(held.server, "") as socket:
        assert json.loads(socket.recv(timeout=5))["id"] == held.job.id
        held.go.set()
        while (view := json.loads(socket.recv(timeout=5)))["state"] != "done":
            assert view["id"] == held.job.id


def test_sockets_that_vanish_leave_nothing_behind(held: Held) -> None:
    jobs = held.server.studio.jobs
    for _ in range(10):
        with socket_of(held.server, f"/{held.job.id}") as socket:
            socket.recv(timeout=5)
    deadline = time.monotonic() + 5
    while len(jobs._audience) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not len(jobs._audience)
    assert held.server.client.get("/internal/jobs").json()["jobs"][0]["id"] == held.job.id
