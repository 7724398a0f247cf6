"""One server-sent stream per page: what runs and waits, how far it is, what has ended, which settings have changed.

An event is encoded once for all who listen. A preview is a picture of its own address, drawn and encoded at most once
per step and only when somebody asks for it; the browser keeps it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from modules.sdapi.images import encode_preview
from modules.sdapi.needs import Studio
from modules.studio.feed import Event, Feed
from modules.terms.errors import NotFound

# Proxies close a connection on which nothing comes for a minute.
HEARTBEAT_S = 20.0
# How soon a browser comes back after the connection broke.
RETRY_MS = 1000


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/internal", tags=["jobs"])
    feed = Feed(studio.jobs, lambda: studio.settings)
    studio.on_settings(feed.settings_changed)
    previews = _Previews(studio)

    @router.get("/events", response_class=StreamingResponse)
    async def events(last_event_id: Annotated[str, Header()] = "") -> StreamingResponse:
        """text/event-stream: `job`, `queue` and `settings`, with JSON; after `Last-Event-ID`, only what is newer."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(feed, last_event_id), media_type="text/event-stream", headers=headers)

    @router.get("/jobs/{job_id}/preview", response_class=Response)
    def preview(job_id: str) -> Response:
        """The running job's picture as it stands."""
        found = previews.newest(job_id)
        if found is None:
            raise NotFound(f"There is no preview of job {job_id!r} (any more).")
        data, media_type = found
        # Its address names the step: it never changes.
        return Response(data, media_type=media_type, headers={"Cache-Control": "private, max-age=600, immutable"})

    return router


class _Inbox:
    """The newest event of each key, for one listener: however slow it is, no more gathers than there are jobs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._lock = threading.Lock()
        self._events: dict[str, Event] = {}
        self._ended = False

    def put(self, event: Event | None) -> None:
        """From the feed's thread."""
        with self._lock:
            if event is None:
                self._ended = True
            else:
                self._events.pop(event.key, None)
                self._events[event.key] = event
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def take(self, timeout: float) -> bytes | None:
        """What has come since the last call, at most `timeout` seconds later; None after the end."""
        try:
            await asyncio.wait_for(self._wake.wait(), timeout)
        except asyncio.TimeoutError:
            return b": still here\n\n"
        self._wake.clear()
        with self._lock:
            events, self._events = self._events, {}
            if self._ended and not events:
                return None
        return b"".join(event.wire for event in events.values())


async def _stream(feed: Feed, last_id: str) -> AsyncIterator[bytes]:
    inbox = _Inbox()
    end = await asyncio.to_thread(feed.subscribe, inbox.put, last_id)
    try:
        yield f"retry: {RETRY_MS}\n\n".encode()
        while (news := await inbox.take(HEARTBEAT_S)) is not None:
            yield news
    finally:
        end()


class _Previews:
    """The newest preview of the job that was last asked about, as bytes."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._lock = threading.Lock()
        self._key: tuple[str, int, str] | None = None
        self._data = b""

    def newest(self, job_id: str) -> tuple[bytes, str] | None:
        """(bytes, media type); None if there is none."""
        if not self._studio.settings["live_previews_enable"]:
            return None
        file_format = str(self._studio.settings["live_previews_image_format"])
        with self._lock:
            preview = self._studio.jobs.preview(job_id)
            if preview is None:
                return None
            key = (job_id, preview.number, file_format)
            if key != self._key:
                self._key, self._data = key, encode_preview(preview.image, file_format)
            return self._data, f"image/{file_format}"
