"""Every error as A1111 words it: `{"error", "detail", "body", "errors"}`, with the status that fits."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from modules.studio.job import Job
from modules.terms.errors import WebuiError

log = logging.getLogger("atelier.api")


class JobFailed(HTTPException):
    """A job that did not end well, with the sentence it left."""


def raise_unless_done(job: Job) -> Job:
    """`job` if it is done. Raises: JobFailed with the status of what went wrong."""
    if job.state == "done":
        return job
    if job.state == "failed":
        raise JobFailed(job.error_status or 500, job.error)
    if job.state == "cancelled":
        raise JobFailed(409, job.error or "The job was cancelled.")
    raise JobFailed(503, f"The studio is stopping. Job {job.task_id} is kept and will run after the next start.")


def add_handlers(app: FastAPI) -> None:
    """What every route answers when it raises."""

    @app.exception_handler(WebuiError)
    async def webui_error(request: Request, error: WebuiError) -> JSONResponse:
        return failure(error.status, type(error).__name__, str(error))

    @app.exception_handler(StarletteHTTPException)
    async def http_error(request: Request, error: StarletteHTTPException) -> JSONResponse:
        response = failure(error.status_code, type(error).__name__, error.detail)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        # Without the input: it may be large, secret, or no JSON at all (NaN).
        detail = [{"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in error.errors()]
        sentence = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in detail[:5])
        return failure(422, "RequestValidationError", detail, sentence)

    @app.exception_handler(RecursionError)
    async def too_deep(request: Request, error: RecursionError) -> JSONResponse:
        return failure(400, "BadRequest", "The JSON is nested too deeply.")

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        # The server logs the traceback; a stranger need not read paths in it.
        return failure(500, type(error).__name__, "Something went wrong inside. The log of the studio tells what.")


def failure(status: int, error: str, detail: Any, errors: str = "") -> JSONResponse:
    """An error answer. `errors` is the sentence for a person; `detail` serves as one where it is text."""
    sentence = errors or (detail if isinstance(detail, str) else HTTPStatus(status).phrase)
    return JSONResponse({"error": error, "detail": detail, "body": "", "errors": printable(sentence)}, status)


def printable(text: str) -> str:
    """`text` without halves of surrogate pairs, which no answer could carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
