"""Jobs as the page follows them: a snapshot by REST, and a WebSocket that tells every change.

No message can be missed: the socket sends the present state first, decides on that very snapshot whether it is the
last, and closes only after a final one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from modules.sdapi.images import encode_preview
from modules.sdapi.needs import Studio
from modules.studio.followers import Follower
from modules.studio.job import Job
from modules.terms.errors import NotFound

# At most ten messages per second and job: a step of a small model takes less than a frame of the screen.
PAUSE_S = 0.1
NO_SUCH_JOB = 4404


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/internal/jobs", tags=["jobs"])

    @router.get("")
    def active() -> dict[str, Any]:
        """The jobs that run, then those that wait, in order."""
        return {"jobs": [job.view() for job in studio.jobs.active()], "paused": studio.jobs.paused}

    @router.get("/{job_id}")
    def one(job_id: str) -> dict[str, Any]:
        """One job, by its id or task id, whether it still runs or not."""
        job = studio.jobs.get(job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id!r} (any more).")
        return job.view()

    @router.websocket("")
    async def follow_all(socket: WebSocket) -> None:
        await socket.accept()
        with studio.jobs.follow_all() as follower:
            await _tell(socket, follower, studio, previews=False)

    @router.websocket("/{job_id}")
    async def follow(socket: WebSocket, job_id: str, previews: bool = True) -> None:
        """Text frames: the job. Binary frames: the newest preview, unless `previews=false`."""
        await socket.accept()
        try:
            follower = await asyncio.to_thread(studio.jobs.follow, job_id)
        except NotFound as error:
            await socket.close(NO_SUCH_JOB, str(error)[:120])
            return
        with follower:
            await _tell(socket, follower, studio, previews=previews)

    return router


async def _tell(socket: WebSocket, follower: Follower, studio: Studio, *, previews: bool) -> None:
    """Sends what `follower` hears until that ends or the other side goes away."""
    async with anyio.create_task_group() as group:

        async def listen() -> None:
            try:
                while True:
                    await socket.receive_text()
            except (WebSocketDisconnect, RuntimeError, KeyError):
                group.cancel_scope.cancel()

        group.start_soon(listen)
        try:
            await _send_all(socket, follower, studio, previews=previews)
            await socket.close()
        except (WebSocketDisconnect, RuntimeError):
            # It went away between two messages; the job goes on.
            pass
        group.cancel_scope.cancel()


async def _send_all(socket: WebSocket, follower: Follower, studio: Studio, *, previews: bool) -> None:
    shown = 0
    async for job in follower:
        await socket.send_json(job.view())
        if previews and job.preview_number > shown and studio.settings["live_previews_enable"]:
            picture = await asyncio.to_thread(_preview, studio, job)
            shown = job.preview_number
            if picture is not None:
                await socket.send_bytes(picture)
        if not job.is_final:
            await asyncio.sleep(PAUSE_S)


def _preview(studio: Studio, job: Job) -> bytes | None:
    preview = studio.jobs.preview(job.id)
    return encode_preview(preview.image, str(studio.settings["live_previews_image_format"])) if preview else None
