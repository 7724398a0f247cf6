"""The addresses of /api/v2: jobs are submitted, followed and fetched; pictures uploaded; models and pictures found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, File, HTTPException, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse, StreamingResponse

from modules.checkpoints.inspect import inspect_file
from modules.sdapi.failures import JobFailed
from modules.sdapi.gallery_routes import in_short
from modules.sdapi.images import encode_preview
from modules.sdapi.model_routes import card_json, report_json
from modules.sdapi.needs import Studio
from modules.sdapi.security import client_of
from modules.sdapi.v2.answers import (
    PREFIX,
    JobAnswer,
    JobsAnswer,
    LibraryAnswer,
    ModelAnswer,
    ModelsAnswer,
    ResultAnswer,
    UploadAnswer,
    job_answer,
    result_answer,
)
from modules.sdapi.v2.bodies import EXAMPLES, ExtrasBody, JobBody
from modules.sdapi.v2.translate import Translation, drawn_file
from modules.sdapi.v2.uploads import PictureUploads
from modules.studio.job import Job
from modules.terms.errors import NotFound

MAX_UPLOAD = 64 << 20
# At most ten events per second: a step of a small model takes less than a frame of the screen.
PAUSE_S = 0.1
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
NOTHING_SAVED = {"save_samples": False, "save_grid": False, "return_grid": False}


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["v2"])
    uploads = PictureUploads(studio.flags.cache_dir / "pictures")
    _add_submission(router, studio, uploads)
    _add_jobs(router, studio)
    _add_results(router, studio)
    _add_models(router, studio)
    return router


def _add_submission(router: APIRouter, studio: Studio, uploads: PictureUploads) -> None:
    translation = Translation(studio, uploads)

    @router.post("/jobs", status_code=202)
    def submit(
        request: Request,
        response: Response,
        body: Annotated[JobBody, Body(openapi_examples=EXAMPLES)],
    ) -> JobAnswer:
        """Submit a job. It is on disk when this answers; `Location` is where to follow it."""
        extras = isinstance(body, ExtrasBody)
        asked = translation.extras(body) if extras else translation.generation(body)
        source = getattr(body, "source", None)
        job = studio.submit(
            asked,
            "extras" if extras else "img2img" if source else "txt2img",
            client=client_of(request),
            task_id=body.task_id,
            options={} if body.save else NOTHING_SAVED,
        )
        response.headers["Location"] = f"{PREFIX}/jobs/{job.id}"
        return job_answer(job)

    @router.post("/uploads", status_code=201)
    def upload(picture: Annotated[UploadFile, File(description="A picture, as multipart/form-data.")]) -> UploadAnswer:
        """Send a picture once, to name it in requests. It is kept for a day."""
        data = picture.file.read(MAX_UPLOAD + 1)
        if len(data) > MAX_UPLOAD:
            raise HTTPException(413, f"The picture is larger than {MAX_UPLOAD >> 20} MB.")
        upload_id, image = uploads.add(data)
        return UploadAnswer(id=upload_id, reference=f"upload:{upload_id}", width=image.width, height=image.height)


def _add_jobs(router: APIRouter, studio: Studio) -> None:
    jobs = studio.jobs

    @router.get("/jobs")
    def listed(
        offset: Annotated[int, Query(ge=0, le=1 << 31)] = 0, limit: Annotated[int, Query(ge=0, le=200)] = 50
    ) -> JobsAnswer:
        """The jobs that run, those that wait in their order, then a page of the finished ones, the last first."""
        count, finished = jobs.finished(offset, limit)
        return JobsAnswer(
            jobs=[job_answer(job) for job in (*jobs.active(), *finished)], finished=count, paused=jobs.paused
        )

    @router.get("/jobs/{job_id}")
    def one(job_id: str) -> JobAnswer:
        """One job, by its id or task id."""
        return job_answer(_known(studio, job_id))

    @router.delete("/jobs/{job_id}")
    def cancel(job_id: str) -> JobAnswer:
        """End a job and throw it away; take a finished one off the list. Saved pictures stay."""
        job = _known(studio, job_id)
        if job.is_final:
            jobs.forget([job.id])
        else:
            jobs.cancel(job.id)
        return job_answer(jobs.get(job.id) or job)

    @router.post("/jobs/{job_id}/interrupt")
    def interrupt(job_id: str) -> JobAnswer:
        """End a job after its present step and keep its pictures."""
        jobs.interrupt(_known(studio, job_id).id)
        return job_answer(_known(studio, job_id))

    @router.post("/jobs/{job_id}/skip")
    def skip(job_id: str) -> JobAnswer:
        """End the present batch of a job, keep its pictures, go on with the next."""
        jobs.skip(_known(studio, job_id).id)
        return job_answer(_known(studio, job_id))

    @router.post("/jobs/{job_id}/retry", status_code=202)
    def retry(job_id: str, response: Response) -> JobAnswer:
        """A new job that asks the same as a finished one."""
        job = jobs.retry(_known(studio, job_id).id)
        response.headers["Location"] = f"{PREFIX}/jobs/{job.id}"
        return job_answer(job)

    @router.get("/jobs/{job_id}/events", response_class=StreamingResponse)
    def events(job_id: str) -> StreamingResponse:
        """text/event-stream of one job up to its end: `job` events carry the job, with the address of its preview."""
        job = _known(studio, job_id)
        return StreamingResponse(_stream(studio, job.id), media_type="text/event-stream", headers=STREAM_HEADERS)


def _add_results(router: APIRouter, studio: Studio) -> None:
    @router.get("/jobs/{job_id}/result", responses={409: {"description": "It is not done, or was cancelled."}})
    def result(job_id: str) -> ResultAnswer:
        """What a job made. A job that failed answers with the status and sentence of what went wrong."""
        job = _known(studio, job_id)
        if job.state == "failed":
            raise JobFailed(job.error_status or 500, job.error)
        if job.state != "done":
            raise HTTPException(409, job.error or f"The job is {job.state}. Follow {PREFIX}/jobs/{job.id}/events.")
        return result_answer(job)

    @router.get("/jobs/{job_id}/pictures/{index}", response_class=FileResponse)
    def picture(job_id: str, index: str) -> FileResponse:
        """A picture of a finished job: the file itself, with its text inside."""
        return FileResponse(drawn_file(studio, job_id, index), headers={"Content-Security-Policy": "sandbox"})

    @router.get("/jobs/{job_id}/preview", response_class=Response)
    def preview(job_id: str) -> Response:
        """The picture of a running job as it stands."""
        found = studio.jobs.preview(job_id) if studio.settings["live_previews_enable"] else None
        if found is None:
            raise NotFound(f"There is no preview of job {job_id!r} (any more).")
        file_format = str(studio.settings["live_previews_image_format"])
        return Response(encode_preview(found.image, file_format), media_type=f"image/{file_format}")


def _add_models(router: APIRouter, studio: Studio) -> None:
    @router.get("/choices/{listing}")
    def choices(listing: str) -> list[dict[str, Any]]:
        """What there is to choose from: samplers, schedulers, upscalers, styles, vae, …"""
        return studio.details(listing)

    @router.get("/models/{kind}")
    def models(
        kind: str,
        search: str = "",
        offset: Annotated[int, Query(ge=0, le=1 << 31)] = 0,
        limit: Annotated[int, Query(ge=0, le=1000)] = 100,
    ) -> ModelsAnswer:
        """A page of the checkpoints, loras, embeddings or hypernetworks whose names contain every word of `search`."""
        page = studio.cards.search(kind, search, offset=offset, limit=limit)
        return ModelsAnswer(total=page.total, models=[card_json(studio, kind, card) for card in page.cards])

    @router.get("/models/{kind}/inspect")
    def inspect(kind: str, name: str) -> ModelAnswer:
        """One model: its card, and what its file is."""
        card = studio.cards.card(kind, name)
        report = report_json(studio, inspect_file(card.model.path))
        return ModelAnswer(card=card_json(studio, kind, card), report=report)

    @router.get("/pictures")
    def pictures(search: str = "", after: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 100) -> LibraryAnswer:
        """A page of the library of pictures, newest first. `search`: words, `model:`, `seed:` and the like."""
        page = studio.gallery.search(search, after=after, limit=limit)
        return LibraryAnswer(pictures=[in_short(row) for row in page.rows], next=page.next)


async def _stream(studio: Studio, job_id: str) -> AsyncIterator[bytes]:
    follower = await asyncio.to_thread(studio.jobs.follow, job_id)
    with follower:
        async for job in follower:
            yield f"event: job\ndata: {job_answer(job).model_dump_json()}\n\n".encode()
            if not job.is_final:
                await asyncio.sleep(PAUSE_S)


def _known(studio: Studio, job_id: str) -> Job:
    job = studio.jobs.get(job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id[:80]!r} (any more).")
    return job
