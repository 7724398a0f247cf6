"""What /api/v2 answers: jobs, their pictures, models and the library, typed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from modules.studio.job import Job

PREFIX = "/api/v2"


class JobAnswer(BaseModel):
    """A job as it stands. `fraction` runs from 0 to 1; times are Unix seconds, `eta` and `elapsed` seconds."""

    id: str
    task_id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    position: int = Field(description="How many wait before it.")
    fraction: float
    phase: str
    step: int
    steps: int
    batch: int
    batches: int
    eta: float | None
    elapsed: float | None
    submitted: float
    error: str | None
    interrupted: bool
    preview: str | None = Field(description="Where its picture as it stands is fetched; null if there is none.")
    result: str = Field(description="Where its result is fetched once it is done.")


class PictureAnswer(BaseModel):
    url: str
    kind: str = Field(description="sample, grid, and what settings ask for besides.")
    width: int
    height: int
    seed: int | None = None
    infotext: str = ""


class ResultAnswer(BaseModel):
    """What a job made. `notes`: sentences about what could not be honoured.

    said: the words for a picture, or what a merge tells; path: the file that it wrote.
    """

    job: JobAnswer
    pictures: list[PictureAnswer]
    seeds: list[int] = []
    notes: list[str] = []
    model: dict[str, Any] = {}
    said: str = ""
    path: str = ""


class JobsAnswer(BaseModel):
    """jobs: those that run, those that wait, then a page of the finished ones. finished: how many there are."""

    jobs: list[JobAnswer]
    finished: int
    paused: bool


class UploadAnswer(BaseModel):
    id: str
    reference: str = Field(description="What stands for the picture in requests.")
    width: int
    height: int


class ModelsAnswer(BaseModel):
    total: int
    models: list[dict[str, Any]]


class ModelAnswer(BaseModel):
    card: dict[str, Any]
    report: dict[str, Any] = Field(description="What the file is, by its header.")


class LibraryAnswer(BaseModel):
    pictures: list[dict[str, Any]]
    next: str | None = Field(description="`after` of the next page; null after the last.")


def job_answer(job: Job) -> JobAnswer:
    """`job` as JSON."""
    view = job.view()
    preview = job.preview_number if job.state == "running" else 0
    return JobAnswer(
        **{name: view[name] for name in JobAnswer.model_fields if name not in ("preview", "result")},
        preview=f"{PREFIX}/jobs/{job.id}/preview?number={preview}" if preview else None,
        result=f"{PREFIX}/jobs/{job.id}/result",
    )


def result_answer(job: Job) -> ResultAnswer:
    """What a finished job made."""
    record = dict(job.result or {})
    pictures = [
        PictureAnswer(
            url=f"{PREFIX}/jobs/{job.id}/pictures/{index}",
            kind=str(image.get("kind") or "sample"),
            width=int(image.get("width") or 0),
            height=int(image.get("height") or 0),
            seed=image.get("seed"),
            infotext=str(image.get("infotext") or ""),
        )
        for index, image in enumerate(record.get("images") or ())
    ]
    return ResultAnswer(
        job=job_answer(job),
        pictures=pictures,
        seeds=list(record.get("seeds") or ()),
        notes=list(record.get("notes") or ()),
        model=dict(record.get("model") or {}),
        said=str(record.get("said") or ""),
        path=str(record.get("path") or ""),
    )
