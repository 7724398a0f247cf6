"""Options, flags, memory and the server itself, under A1111's addresses."""

from __future__ import annotations

import dataclasses
import os
import platform
import secrets
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import ConfigDict

from modules.sdapi.needs import Studio
from modules.sdapi.schemas import Body
from modules.studio.checksum import signed
from modules.terms.errors import BadRequest, NotFound

SECRET_FLAGS = frozenset({"api_auth", "api_token", "gradio_auth", "gradio_auth_path", "ngrok", "tls_keyfile"})
PACKAGES = (
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "safetensors",
    "gradio",
    "fastapi",
    "pydantic",
    "pillow",
)
# Long enough for the answer to go out before the server does.
STOP_DELAY_S = 0.5


class Options(Body):
    """Any settings, by key."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(tags=["studio"])

    @router.get("/sdapi/v1/options")
    def options() -> dict[str, Any]:
        """Every setting with its value. Before anyone chose a checkpoint, the one that pictures are drawn with."""
        values = studio.settings.as_json()
        if not values["sd_model_checkpoint"] and studio.library.checkpoints:
            info, _ = studio.library.find_or_first(studio.chosen_checkpoint)
            values["sd_model_checkpoint"] = info.title
        return values

    @router.post("/sdapi/v1/options")
    def set_options(values: Options) -> None:
        """Change settings for good. Settings that requests cannot change are passed over."""
        changes = values.model_extra or {}
        checkpoint = changes.get("sd_model_checkpoint")
        if isinstance(checkpoint, str) and checkpoint and checkpoint != studio.settings["sd_model_checkpoint"]:
            studio.library.find(checkpoint)
        try:
            studio.set_options(changes, from_api=True)
        except NotFound as error:
            raise BadRequest(str(error)) from error

    @router.get("/sdapi/v1/cmd-flags")
    def cmd_flags() -> dict[str, Any]:
        """The command line, without its secrets."""
        return flags_of(studio)

    @router.get("/sdapi/v1/memory")
    def memory() -> dict[str, Any]:
        """Memory of the machine and of its card, in bytes."""
        return studio.memory()

    @router.post("/sdapi/v1/unload-checkpoint")
    def unload_checkpoint() -> dict[str, Any]:
        studio.unload()
        return {}

    @router.post("/sdapi/v1/reload-checkpoint")
    def reload_checkpoint() -> dict[str, Any]:
        studio.reload()
        return {}

    if studio.flags.api_server_stop:

        def stop_soon(restart: bool) -> None:
            threading.Timer(STOP_DELAY_S, studio.stop, kwargs={"restart": restart}).start()

        @router.post("/sdapi/v1/server-kill")
        def server_kill() -> None:
            stop_soon(restart=False)

        @router.post("/sdapi/v1/server-stop")
        def server_stop() -> str:
            stop_soon(restart=False)
            return "Stopping."

        @router.post("/sdapi/v1/server-restart")
        def server_restart() -> str:
            if "SD_WEBUI_RESTART" not in os.environ:
                raise HTTPException(501, "This server was not started by webui.sh, so nothing would start it again.")
            stop_soon(restart=True)
            return "Restarting."

    @router.get("/internal/ping")
    async def ping() -> dict[str, Any]:
        """Nothing, as fast as this server answers anything."""
        return {}

    app_id = secrets.randbits(62)

    @router.get("/app_id")
    async def which_app() -> dict[str, int]:
        """A number that is another one after each start, by which clients see that the server was restarted."""
        return {"app_id": app_id}

    @router.get("/user")
    async def user(request: Request) -> str | None:
        """The name that was logged in with, null if no login is needed."""
        return request.scope.get("atelier_user") or None

    @router.get("/login_check")
    async def login_check() -> None:
        """Nothing for whoever may use the page; the others get a 401 at the door."""

    @router.get("/internal/quicksettings-hint")
    def quicksettings_hint() -> list[dict[str, str]]:
        """Keys and labels of all settings."""
        return [{"name": key, "label": setting.label} for key, setting in studio.settings.catalogue.items()]

    @router.get("/internal/profile-startup")
    def profile_startup() -> dict[str, Any]:
        """Seconds that the parts of the start took, where they were measured."""
        records = dict(getattr(studio, "startup", {}) or {})
        return {"total": sum(records.values()), "records": records}

    @router.get("/internal/sysinfo")
    def sysinfo(request: Request) -> Response:
        return PlainTextResponse(sysinfo_text(studio), media_type="application/json")

    @router.get("/internal/sysinfo-download")
    def sysinfo_download() -> Response:
        name = time.strftime("sysinfo-%Y-%m-%d-%H-%M.json")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return PlainTextResponse(sysinfo_text(studio), media_type="application/json", headers=headers)

    return router


def flags_of(studio: Studio) -> dict[str, Any]:
    """Flag -> value as JSON; secrets show only that they are set."""
    values: dict[str, Any] = {}
    for entry in dataclasses.fields(studio.flags):
        value = getattr(studio.flags, entry.name)
        if entry.name in SECRET_FLAGS:
            value = "set" if value else None
        elif isinstance(value, Path):
            value = str(value)
        elif isinstance(value, tuple):
            value = list(value)
        if entry.name == "extra":
            values.update({name: str(extra) for name, extra in dict(value).items()})
        else:
            values[entry.name] = value
    return values


def sysinfo_text(studio: Studio) -> str:
    """What helps to find a fault, as JSON: versions, flags, settings; no secrets."""
    return signed(
        {
            "Platform": platform.platform(),
            "Python": sys.version,
            "Version": studio.version,
            "Engine": studio.engine_state,
            "Flags": flags_of(studio),
            "Config": studio.settings.as_json(),
            "Packages": {name: _version(name) for name in PACKAGES},
            "Jobs": [job.view() for job in studio.jobs.active()],
        }
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
