"""Routes of what the page keeps on the server: drafts by browser, presets by name, and what a checkpoint suggests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from fastapi.responses import JSONResponse
from gradio import utils

from modules.gui.drafts import Drafts, new_browser
from modules.gui.family_defaults import family_defaults
from modules.gui.needs import Studio
from modules.gui.part_values import with_units
from modules.gui.presets import Presets
from modules.gui.ui_config import UiConfig

PREFIX = "/internal/gui"
COOKIE = "atelier_browser"
_YEAR_S = 365 * 24 * 3600


def add_routes(app: FastAPI, studio: Studio, config: UiConfig) -> None:
    """The routes on `app`; they must stand there before Gradio takes all that is left."""
    uploads = Path(utils.get_upload_folder())
    drafts = Drafts(studio.flags.data_dir / "drafts", uploads)
    presets = Presets(studio.flags.data_dir / "presets", uploads)

    @app.get(f"{PREFIX}/drafts", include_in_schema=False)
    def read(request: Request) -> JSONResponse:
        kept = drafts.read(_key(request))
        return _known(request, {tab: {**draft, "values": with_units(draft["values"])} for tab, draft in kept.items()})

    @app.post(f"{PREFIX}/drafts/{{tab}}", include_in_schema=False)
    def write(request: Request, tab: str, draft: Annotated[dict[str, Any], Body()]) -> JSONResponse:
        drafts.write(_key(request), tab, draft)
        return _known(request, {})

    @app.get(f"{PREFIX}/presets/{{tab}}", include_in_schema=False)
    def names(tab: str, name: str | None = None) -> list[str] | dict[str, Any]:
        return presets.names(tab) if name is None else with_units(presets.load(tab, name))

    @app.post(f"{PREFIX}/presets/{{tab}}", include_in_schema=False)
    def save(
        tab: str, name: Annotated[str, Body()], values: Annotated[dict[str, Any] | None, Body()] = None
    ) -> list[str]:
        """Values None: the preset goes."""
        if values is None:
            presets.delete(tab, name)
        else:
            presets.save(tab, name, values)
        return presets.names(tab)

    @app.get(f"{PREFIX}/family", include_in_schema=False)
    def family() -> dict[str, Any]:
        told = family_defaults(studio)
        # What ui-config.json says of a field goes before what its kind of model suggests.
        own = config.overridden.get("txt2img", frozenset())
        return {**told, "values": {name: value for name, value in told["values"].items() if name not in own}}


def _known(request: Request, content: Any) -> JSONResponse:
    """An answer after which the browser has a name."""
    answer = JSONResponse(content, headers={"Cache-Control": "no-store"})
    answer.set_cookie(
        COOKIE,
        _browser(request),
        max_age=_YEAR_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _browser(request: Request) -> str:
    """The browser's name; a new one is remembered for the rest of the request."""
    if not hasattr(request.state, "browser"):
        request.state.browser = request.cookies.get(COOKIE) or new_browser()
    return str(request.state.browser)


def _key(request: Request) -> str:
    """Whose drafts these are: the browser's, and of the one who is logged in there."""
    user = str(request.scope.get("atelier_user") or "")
    return hashlib.sha256(f"{user}\n{_browser(request)}".encode()).hexdigest()[:32]
