"""How far the running job is, and how to stop it: A1111's two ways of asking."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

from fastapi import APIRouter

from modules.sdapi.images import data_uri, encode_preview
from modules.sdapi.needs import Studio
from modules.sdapi.schemas import Progress, ProgressBody, ProgressState, TaskProgress
from modules.studio.job import Job


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(tags=["progress"])

    def running() -> Job | None:
        return next(iter(studio.jobs.running()), None)

    # In the loop, without a lock: clients ask several times a second, and must not wait behind those that wait for
    # pictures. Only a picture costs a thread.
    @router.get("/sdapi/v1/progress")
    async def progress(skip_current_image: bool = False) -> Progress:
        """Where the running job stands; zeros while none runs."""
        job = running()
        if job is None:
            return Progress()
        image = None
        if not skip_current_image and studio.settings["live_previews_enable"] and job.preview_number:
            image = await asyncio.to_thread(preview_of, studio, job)
        return Progress(
            # A1111 adds a hundredth, so that clients can tell a job that has just begun from none.
            progress=min(1.0, 0.01 + job.fraction),
            eta_relative=job.eta or 0.0,
            state=state_of(job, studio.jobs.stopping(job.id)),
            current_image=image,
            textinfo=_textinfo(job),
            current_task=job.task_id,
        )

    @router.post("/sdapi/v1/interrupt")
    def interrupt() -> dict[str, Any]:
        """End the running job after its present step and keep its pictures."""
        job = running()
        if job is not None:
            studio.jobs.interrupt(job.id)
        return {}

    @router.post("/sdapi/v1/skip")
    def skip() -> None:
        """End the present batch of the running job, keep its pictures, go on with the next."""
        job = running()
        if job is not None:
            studio.jobs.skip(job.id)

    @router.post("/internal/progress")
    def task_progress(body: ProgressBody) -> TaskProgress:
        """How far the task `id_task` is, with a preview if there is a newer one than `id_live_preview`."""
        job = studio.jobs.get(body.id_task) if body.id_task else None
        active, queued = job is not None and job.state == "running", job is not None and job.state == "queued"
        completed = job is not None and job.is_final
        if job is None or not active:
            waiting = f"In queue: {job.position + 1}/{_queued(studio)}" if job is not None and queued else "Waiting..."
            return TaskProgress(active=active, queued=queued, completed=completed, id_live_preview=-1, textinfo=waiting)
        live_preview, number = None, body.id_live_preview
        if body.live_preview and studio.settings["live_previews_enable"] and job.preview_number != number:
            preview = studio.jobs.preview(job.id)
            if preview is not None:
                file_format = str(studio.settings["live_previews_image_format"])
                live_preview, number = data_uri(encode_preview(preview.image, file_format), file_format), preview.number
        return TaskProgress(
            active=True,
            queued=False,
            completed=False,
            progress=job.fraction,
            eta=job.eta,
            live_preview=live_preview,
            id_live_preview=number,
            textinfo=_textinfo(job),
        )

    @router.get("/internal/pending-tasks")
    def pending_tasks() -> dict[str, Any]:
        """The ids of the tasks that wait, next first."""
        tasks = [job.task_id for job in studio.jobs.active() if job.state == "queued"]
        return {"size": len(tasks), "tasks": tasks}

    return router


def preview_of(studio: Studio, job: Job) -> str | None:
    """The picture of a running job as it stands, in base64; None if there is none (any more)."""
    watch = studio.jobs.watch_of(job.id)
    preview = watch.preview() if watch else None
    if preview is None:
        return None
    return base64.b64encode(encode_preview(preview.image, str(studio.settings["live_previews_image_format"]))).decode()


def state_of(job: Job, stopping: str | None) -> ProgressState:
    """A1111's `state` of a running job."""
    now = job.progress
    return ProgressState(
        skipped=stopping == "skip",
        interrupted=stopping in ("interrupt", "cancel"),
        job=f"Batch {min(now.batch + 1, now.batches)} out of {now.batches}",
        job_count=now.batches,
        job_timestamp=time.strftime("%Y%m%d%H%M%S", time.localtime(job.started or job.submitted)),
        job_no=now.batch,
        sampling_step=now.step,
        sampling_steps=now.steps,
    )


def _textinfo(job: Job) -> str | None:
    return (job.progress.note or "Loading the model…") if job.progress.phase == "loading" else None


def _queued(studio: Studio) -> int:
    return sum(job.state == "queued" for job in studio.jobs.active())
