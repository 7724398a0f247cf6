"""Routes of the last pages of the Settings tab: defaults, system, benchmark, actions, credits; and translations."""

from __future__ import annotations

import json
import os
import threading
from typing import Annotated, Any

from fastapi import Body, FastAPI, Response

from modules.gui import about, benchmark, footer
from modules.gui.family_defaults import family_defaults
from modules.gui.needs import Studio
from modules.gui.ui_config import UiConfig, changed_rows
from modules.studio.checksum import is_whole
from modules.studio.localizations import localization, localization_folders
from modules.terms.errors import BadRequest, Refused

PREFIX = "/internal/gui"
# Long enough for the answer to go out before the server does.
_STOP_DELAY_S = 0.5
ACTIONS = ("unload", "reload", "hashes", "restart")


def add_routes(app: FastAPI, studio: Studio, config: UiConfig) -> None:
    """The routes on `app`; they must stand there before Gradio takes all that is left."""

    @app.get(f"{PREFIX}/about", include_in_schema=False)
    def about_page() -> dict[str, Any]:
        return {
            "facts": about.facts(studio),
            "credits": about.credits(),
            "restart": "SD_WEBUI_RESTART" in os.environ,
            "measure": vars(benchmark.Measure()) | _native(studio),
        }

    @app.get(f"{PREFIX}/versions", include_in_schema=False)
    def versions() -> dict[str, Any]:
        return footer.facts(studio)

    @app.post(f"{PREFIX}/sysinfo", include_in_schema=False)
    def check(text: Annotated[str, Body(embed=True)]) -> dict[str, bool]:
        return {"whole": is_whole(text)}

    @app.post(f"{PREFIX}/defaults", include_in_schema=False)
    def defaults(
        values: Annotated[dict[str, dict[str, Any]], Body()], apply: Annotated[bool, Body()] = False
    ) -> list[dict[str, Any]]:
        rows = list(changed_rows(config, values))
        if apply:
            for tab, fields in values.items():
                config.apply(tab, fields)
        return rows

    @app.post(f"{PREFIX}/benchmark", include_in_schema=False)
    def measure(
        width: Annotated[int, Body(ge=64, le=4096)] = 512,
        height: Annotated[int, Body(ge=64, le=4096)] = 512,
        steps: Annotated[int, Body(ge=1, le=150)] = 20,
        batch_size: Annotated[int, Body(ge=1, le=8)] = 1,
    ) -> list[str]:
        return benchmark.start(studio, benchmark.Measure(width, height, steps, batch_size))

    @app.get(f"{PREFIX}/benchmark", include_in_schema=False)
    def measured(ids: str) -> dict[str, Any]:
        return benchmark.report(studio, ids.split(",")[: benchmark.ROUNDS + 1])

    @app.post(f"{PREFIX}/actions/{{name}}", include_in_schema=False)
    def act(name: str) -> Response:
        _act(studio, name)
        return Response(status_code=204)

    @app.get(f"{PREFIX}/localization_template", include_in_schema=False)
    def template() -> Response:
        # Not as a page of JSON: it is there to be kept and worked on.
        said = json.dumps(about.english(studio), ensure_ascii=False, indent=4)
        headers = {"Content-Disposition": 'attachment; filename="localization.json"'}
        return Response(said, media_type="application/json", headers=headers)

    @app.get(f"{PREFIX}/localization", include_in_schema=False)
    def translated() -> dict[str, Any]:
        return localization(str(studio.settings["localization"]), localization_folders(studio))


def _native(studio: Studio) -> dict[str, int]:
    values = family_defaults(studio)["values"]
    return {name: int(values[name]) for name in ("width", "height") if values.get(name)}


def _act(studio: Studio, name: str) -> None:
    if name == "unload":
        studio.unload()
    elif name == "reload":
        studio.reload()
    elif name == "hashes":
        studio.library.hash_in_background()
    elif name == "restart":
        if "SD_WEBUI_RESTART" not in os.environ:
            raise Refused(
                "This server was not started by webui.sh, so nothing would start it again: start it yourself."
            )
        threading.Timer(_STOP_DELAY_S, studio.stop, kwargs={"restart": True}).start()
    else:
        raise BadRequest(f"There is no action called {name!r}. There are: {', '.join(ACTIONS)}.")
