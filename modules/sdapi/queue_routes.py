"""The queue as the page's Queue tab shows and steers it: what waits, what has finished, its pictures, its order."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.responses import FileResponse
from PIL import Image

from modules.sdapi.needs import Studio
from modules.sdapi.permission import need_permission
from modules.studio.job import Job
from modules.studio.job_rates import Rates, waits_of
from modules.terms.errors import BadRequest, NotFound

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif")
THUMBNAIL = 192
LONGEST_PAGE = 200
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/internal/queue", tags=["jobs"])
    jobs = studio.jobs

    @router.get("")
    def queue() -> dict[str, Any]:
        """What runs, then what waits, in order; `wait` of each: seconds until it is through, null if unknown."""
        active = jobs.active()
        rates = Rates(jobs)
        waits = waits_of(active, rates.now())
        return {
            "jobs": [{**row(job), "wait": waits[job.id]} for job in active],
            "paused": jobs.paused,
            "eta": waits[active[-1].id] if active else 0.0,
            "finished": jobs.finished(0, 0)[0],
        }

    @router.get("/finished")
    def finished(
        offset: Annotated[int, Query(ge=0, le=1 << 31)] = 0, limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = 50
    ) -> dict[str, Any]:
        """Finished jobs, the last first."""
        count, page = jobs.finished(offset, limit)
        return {"count": count, "jobs": [row(job) for job in page]}

    @router.get("/{job_id}")
    def one(job_id: str) -> dict[str, Any]:
        """One job with what came out of it."""
        job = _known(studio, job_id)
        images = [
            {key: image.get(key) for key in ("infotext", "seed", "kind", "width", "height")} for image in _images(job)
        ]
        notes = list((job.result or {}).get("notes") or ())
        return {**row(job), "images": images, "notes": notes}

    @router.get("/{job_id}/pictures/{index}", response_class=FileResponse)
    def picture(job_id: str, index: int) -> FileResponse:
        """A picture of a finished job, the file itself."""
        return FileResponse(_file(studio, job_id, index), headers=FOREVER)

    @router.get("/{job_id}/thumbnails/{index}", response_class=Response)
    def thumbnail(job_id: str, index: int) -> Response:
        """The same, small."""
        return Response(small(_file(studio, job_id, index)), media_type="image/webp", headers=FOREVER)

    @router.post("/{job_id}/delete")
    def delete(
        request: Request, job_id: str, numbers: Annotated[list[int], Body(embed=True, max_length=1000)]
    ) -> dict[str, list[str]]:
        """Move pictures of a finished job into the library's trash; the names bring them back."""
        need_permission(request, studio.flags)
        return {"names": studio.gallery.throw([_file(studio, job_id, number) for number in numbers])}

    @router.post("/pause")
    def pause() -> dict[str, bool]:
        """No further job starts, over restarts too, until `resume`."""
        jobs.pause()
        return {"paused": True}

    @router.post("/resume")
    def resume() -> dict[str, bool]:
        jobs.resume()
        return {"paused": False}

    @router.post("/clear")
    def clear(ids: Annotated[list[str] | None, Body(embed=True)] = None) -> dict[str, int]:
        """Takes finished jobs off the list, all without `ids`. Saved pictures stay."""
        return {"cleared": jobs.forget(ids)}

    @router.post("/{job_id}/cancel")
    def cancel(job_id: str) -> dict[str, Any]:
        """Ends the job and throws it away, whether it runs or waits."""
        jobs.cancel(job_id)
        return {}

    @router.post("/{job_id}/retry")
    def retry(job_id: str) -> dict[str, str]:
        """A new job that asks the same as this finished one."""
        return {"id": jobs.retry(job_id).id}

    @router.post("/{job_id}/move")
    def move(job_id: str, before: Annotated[str | None, Body(embed=True)] = None) -> dict[str, Any]:
        """Puts a waiting job in front of `before`, without it to the end."""
        jobs.move(job_id, before)
        return {}

    return router


def row(job: Job) -> dict[str, Any]:
    """What a list shows of a job."""
    pictures = sum(path.suffix.lower() in PICTURES for path in job.files)
    return {**job.view(), "brief": dict(job.brief), "finished": job.finished, "pictures": pictures}


def small(path: Path) -> bytes:
    """The picture at `path` as a WebP thumbnail. Raises: BadRequest if it is none."""
    try:
        with Image.open(path) as image:
            image.draft("RGB", (THUMBNAIL, THUMBNAIL))
            image.thumbnail((THUMBNAIL, THUMBNAIL))
            out = io.BytesIO()
            image.convert("RGB").save(out, "WEBP", quality=80)
            return out.getvalue()
    except OSError as error:
        raise BadRequest(f"{path.name} cannot be shown small: {error}.") from error


def _known(studio: Studio, job_id: str) -> Job:
    job = studio.jobs.get(job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id!r} (any more).")
    return job


def _images(job: Job) -> list[dict[str, Any]]:
    return list((job.result or {}).get("images") or ())


def _file(studio: Studio, job_id: str, index: int) -> Path:
    """A file that the job itself recorded as its picture. Raises: NotFound if it is gone."""
    images = _images(_known(studio, job_id))
    path = Path(images[index]["path"]) if 0 <= index < len(images) else None
    if path is None or path.suffix.lower() not in PICTURES or not path.is_file():
        raise NotFound(f"Picture {index} of job {job_id!r} is not there (any more).")
    return path
