"""The web server's app: the API's routes, its errors, and its documentation without a network."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from modules.sdapi import (
    card_routes,
    control_routes,
    create_routes,
    detail_units,
    download_routes,
    event_routes,
    extension_routes,
    extras_routes,
    file_routes,
    gallery_routes,
    generation_routes,
    job_routes,
    list_routes,
    merge_routes,
    model_routes,
    progress_routes,
    prompt_routes,
    queue_routes,
    studio_routes,
)
from modules.sdapi.failures import add_handlers
from modules.sdapi.needs import Studio
from modules.sdapi.origins import Origins
from modules.sdapi.security import Guard, path_inside
from modules.sdapi.v2 import routes as v2_routes
from modules.studio.flag_table import Flags

DOCS = "/docs"
# What answers with pictures in base64.
PICTURES = (
    "/sdapi/v1/txt2img",
    "/sdapi/v1/img2img",
    "/sdapi/v1/extra-",
    "/sdapi/v1/progress",
    "/internal/progress",
    "/controlnet/detect",
)
ABOUT = (
    "A1111's API: the same names, types and defaults. Every request is a job with its own settings, "
    "kept on disk until it is done; a client that went away may come back for it by its task id."
)


def make_app(studio: Studio) -> FastAPI:
    """The API over `studio`. Mount the page on it last, then put `guarded` around it."""
    app = FastAPI(
        title="Atelier",
        version=studio.version,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for room in (
        generation_routes,
        control_routes,
        detail_units,
        extras_routes,
        create_routes,
        progress_routes,
        event_routes,
        queue_routes,
        gallery_routes,
        extension_routes,
        job_routes,
        file_routes,
        list_routes,
        model_routes,
        card_routes,
        download_routes,
        merge_routes,
        prompt_routes,
        studio_routes,
        v2_routes,
    ):
        app.include_router(room.routes(studio))
    for prefix, router in studio.additions.routers:
        app.include_router(router, prefix=prefix, tags=["extensions"])
    add_handlers(app)
    _add_docs(app)
    origins = Origins.from_flags(studio.flags)
    app.add_middleware(Squeezed)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=sorted(origins.origins),
        allow_origin_regex=studio.flags.cors_allow_origins_regex,
        allow_methods=["*"],
        allow_headers=["*"],
        allow_credentials=bool(origins.origins or origins.pattern),
    )
    return app


class Squeezed:
    """gzip for what is text. Pictures in base64 would take a second for 30 MB, to become a quarter smaller."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain, self._squeezed = app, GZipMiddleware(app, minimum_size=1000, compresslevel=4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pictures = scope["type"] == "http" and path_inside(scope).startswith(PICTURES)
        await (self._plain if pictures else self._squeezed)(scope, receive, send)


def guarded(app: ASGIApp, flags: Flags) -> ASGIApp:
    """`app` behind the door (security.py). This is what the server serves."""
    return Guard(app, flags)


def _add_docs(app: FastAPI) -> None:
    """/docs and /redoc from files on this machine; FastAPI's own pages load theirs from elsewhere."""
    static = Path(fastapi_offline.__file__).parent / "static"
    app.mount(f"{DOCS}/static", StaticFiles(directory=static), name="docs-static")

    @app.get(DOCS, include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title="Atelier API",
            swagger_js_url=f"{root}{DOCS}/static/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{DOCS}/static/swagger-ui.css",
            swagger_favicon_url=f"{root}{DOCS}/static/favicon.png",
            # The validator is a web site that would be sent the address of this one.
            swagger_ui_parameters={"validatorUrl": None},
        )

    @app.get("/redoc", include_in_schema=False)
    def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return get_redoc_html(
            openapi_url=f"{root}{app.openapi_url}",
            title="Atelier API",
            redoc_js_url=f"{root}{DOCS}/static/redoc.standalone.js",
            redoc_favicon_url=f"{root}{DOCS}/static/favicon.png",
            with_google_fonts=False,
        )
