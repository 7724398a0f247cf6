"""The stream of server-sent events, previews by address, and the routes of the Queue tab."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from PIL import Image

from modules.terms.request import GenerationRequest
from tests.sdapi.serving import Server
from tests.sdapi.test_progress import Held, held  # noqa: F401 - `held` is a fixture


class Stream:
    """The events of one open connection."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()
        self.last_id = ""

    def next(self, name: str | None = None) -> dict[str, Any]:
        """The data of the next event, of the next `name` if given."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                field, _, value = line.partition(": ")
                fields[field] = value
            elif "data" in fields and name in (None, fields["event"]):
                self.last_id = fields["id"]
                return {"event": fields["event"], **json.loads(fields["data"])}
            else:
                fields = {}
        raise AssertionError("the stream ended")


def small(prompt: str) -> GenerationRequest:
    return GenerationRequest(prompt=prompt, steps=2, width=64, height=64)


@contextmanager
def stream(server: Server, last_id: str = "") -> Iterator[Stream]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with (
        httpx.Client(base_url=server.url, timeout=10) as client,
        client.stream("GET", "/internal/events", headers=headers) as response,
    ):
        yield Stream(response)


def test_the_stream_tells_of_a_job_from_beginning_to_end(held: Held) -> None:  # noqa: F811
    with stream(held.server) as events:
        assert events.response.headers["content-type"].startswith("text/event-stream")
        assert events.response.headers["cache-control"] == "no-store"
        queue = events.next("queue")
        assert [view["id"] for view in queue["running"]] == [held.job.id]
        left = events.last_id
        held.go.set()
        while (job := events.next("job"))["state"] != "done":
            assert job["id"] == held.job.id
    with stream(held.server, left) as events:
        while (job := events.next())["event"] != "job" or job["state"] != "done":
            pass
        assert job["id"] == held.job.id


def test_a_preview_has_an_address_of_its_own(held: Held) -> None:  # noqa: F811
    client = held.server.client
    answer = client.get(f"/internal/jobs/{held.job.id}/preview?number=3")
    assert Image.open(io.BytesIO(answer.content)).size == (8, 8)
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/internal/jobs/nothing/preview").status_code == 404


def test_changed_settings_are_told(server: Server) -> None:
    with stream(server) as events:
        events.next("queue")
        server.client.post("/sdapi/v1/options", json={"jpeg_quality": 71})
        assert "jpeg_quality" in events.next("settings")["keys"]


def test_twenty_open_pages_draw_nothing_and_hear_the_same(held: Held) -> None:  # noqa: F811
    last: list[str] = []

    def follow(ready: threading.Barrier) -> None:
        with stream(held.server) as events:
            events.next("queue")
            ready.wait(10)
            while events.next("job")["state"] != "done":
                pass
            last.append(events.last_id)

    ready = threading.Barrier(21)
    pages = [threading.Thread(target=follow, args=(ready,)) for _ in range(20)]
    for page in pages:
        page.start()
    ready.wait(10)
    drawn = held.server.studio.jobs._watches[held.job.id]._drawn
    held.go.set()
    for page in pages:
        page.join(10)
    assert len(last) == 20
    assert len(set(last)) == 1
    assert drawn is None


def test_the_queue_is_shown_moved_paused_and_cleared(server: Server) -> None:
    client, studio = server.client, server.studio
    client.post("/internal/queue/clear", json={})
    assert client.post("/internal/queue/pause", json={}).json() == {"paused": True}
    ids = [studio.jobs.submit(small(name)).id for name in ("one", "two", "three")]
    assert client.post(f"/internal/queue/{ids[2]}/move", json={"before": ids[0]}).status_code == 200
    assert client.post(f"/internal/queue/{ids[0]}/cancel", json={}).status_code == 200
    queue = client.get("/internal/queue").json()
    assert ([job["brief"]["prompt"] for job in queue["jobs"]], queue["paused"]) == (["three", "two"], True)
    client.post("/internal/queue/resume", json={})
    for name in ids[1:]:
        studio.jobs.wait(name, 10)
    page = client.get("/internal/queue/finished?limit=2").json()
    assert (page["count"], [job["brief"]["prompt"] for job in page["jobs"]]) == (3, ["two", "three"])
    done = client.get(f"/internal/queue/{ids[1]}").json()
    assert done["images"][0]["infotext"].startswith("two")
    thumbnail = client.get(f"/internal/queue/{ids[1]}/thumbnails/0")
    assert Image.open(io.BytesIO(thumbnail.content)).format == "WEBP"
    full = client.get(f"/internal/queue/{ids[1]}/pictures/0")
    assert (full.headers["x-content-type-options"], Image.open(io.BytesIO(full.content)).format) == ("nosniff", "PNG")
    again = client.post(f"/internal/queue/{ids[1]}/retry", json={}).json()["id"]
    assert studio.jobs.wait(again, 10).request.prompt == "two"
    assert client.post("/internal/queue/clear", json={"ids": [ids[1]]}).json() == {"cleared": 1}
    assert client.post("/internal/queue/clear", json={}).json() == {"cleared": 3}


@pytest.mark.parametrize("path", ["pictures/0", "thumbnails/0", "pictures/-1"])
def test_only_pictures_of_jobs_are_given_out(server: Server, path: str) -> None:
    job = server.studio.jobs.submit(small("fail"))
    server.studio.jobs.wait(job.id, 10)
    for name in (job.id, "nothing", "..%2F.."):
        assert server.client.get(f"/internal/queue/{name}/{path}").status_code in (404, 422)
