"""What extensions bring to the browser: their scripts and style sheets, and the globals that those scripts expect."""

from __future__ import annotations

import hashlib
import html
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound
from modules.a1111.page import localizations

if TYPE_CHECKING:
    from fastapi import FastAPI

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("mounting.js", "elements.js", "fields.js", "generating.js", "popups.js", "settings.js")
STYLES = ("contract.css",)
PREFIX = "internal/a1111"


def head() -> str:
    """What the page's <head> gets behind its own scripts; nothing without an active extension.

    The scripts of extensions come once the page is built: they look for elements that Gradio makes one by one.
    """
    extensions = bound().studio.extensions.active()
    if not extensions:
        return ""
    own = f"{PREFIX}/static/{stamp()}"
    return "".join(
        (
            f'<script src="{PREFIX}/boot.js"></script>',
            *(f'<script src="{own}/{name}"></script>' for name in SCRIPTS),
            *(f'<link rel="stylesheet" href="{own}/{name}">' for name in STYLES),
            *(f'<link rel="stylesheet" href="{html.escape(address(path))}">' for path in styles()),
        )
    )


def scripts() -> list[dict[str, Any]]:
    """The scripts of extensions in their order, as static/mounting.js loads them: address, and whether a module."""
    found = ordered("javascript", ".js", ".mjs")
    return [{"src": address(path), "module": path.suffix == ".mjs"} for path in found]


def ordered(folder: str, *suffixes: str) -> list[Path]:
    """The files of that sub-folder in every active extension, in the order that their metadata asks for."""
    from modules.a1111.loading import in_metadata_order

    active = bound().studio.extensions.active()
    return in_metadata_order(folder, [(one, path) for one in active for path in one.files(folder, *suffixes)])


def styles() -> list[Path]:
    """Each extension's style.css, and then the user's own."""
    folders = [one.path for one in bound().studio.extensions.active()]
    found = [folder / "style.css" for folder in folders]
    return [path for path in (*found, bound().studio.flags.data_dir / "user.css") if path.is_file()]


def address(path: Path) -> str:
    """The address of a file as A1111's page has it, relative to the page."""
    data = bound().studio.flags.data_dir
    named = path.relative_to(data) if path.is_relative_to(data) else path
    return f"file={named.as_posix()}?{path.stat().st_mtime}"


@cache
def stamp() -> str:
    """Changes whenever one of our own files does."""
    digest = hashlib.sha256()
    for name in (*SCRIPTS, *STYLES):
        digest.update((STATIC / name).read_bytes())
    return digest.hexdigest()[:12]


def options() -> dict[str, Any]:
    """`opts` of the browser: every setting."""
    return bound().settings.as_json()


def fields_of_settings() -> dict[str, str]:
    """Key of every setting that an extension declared -> the kind of field that A1111's Settings tab has for it."""
    from modules import shared

    return {key: _field(info) for key, info in shared.opts.data_labels.items() if not info.do_not_save}


def _field(info: Any) -> str:
    named = getattr(info.component, "__name__", "")
    if named in ("Dropdown", "Radio", "ColorPicker", "Slider", "Number"):
        return "input"
    return "checkbox" if isinstance(info.default, bool) else "textarea" if isinstance(info.default, str) else "input"


def boot() -> str:
    """The script that sets `opts` and `localization`."""
    name = str(bound().settings.get("localization", "None"))
    values = {
        "opts": options(),
        "localization": localizations.texts(name),
        "extensionSettings": fields_of_settings(),
        "extensionStyle": "\n".join(bound().styles),
        "extensionScripts": scripts(),
        "extensionTabs": [f"tab_{elem_id}" for elem_id in bound().tabs],
    }
    # "</" would end the element if this were ever inlined.
    return "".join(
        f"window.{key} = {json.dumps(value).replace('</', '<' + chr(92) + '/')};\n" for key, value in values.items()
    )


def add_routes(app: FastAPI) -> None:
    """The files that those scripts ask for. Nothing without an active extension."""
    if not bound().studio.extensions.active():
        return
    from fastapi import Response
    from fastapi.staticfiles import StaticFiles

    @app.get(f"/{PREFIX}/boot.js", include_in_schema=False)
    def boot_js() -> Response:
        return Response(boot(), media_type="text/javascript", headers={"Cache-Control": "no-store"})

    @app.get(f"/{PREFIX}/options", include_in_schema=False)
    def current() -> dict[str, Any]:
        return options()

    app.mount(f"/{PREFIX}/static/{stamp()}", StaticFiles(directory=STATIC), name="a1111-static")


class BeforeLast(list[Any]):
    """Routes of an app whose last one, the page, answers whatever is left: new ones go before it."""

    def append(self, route: Any) -> None:
        self.insert(len(self) - 1, route)


def open_for_routes(app: FastAPI) -> None:
    """From now on routes that are added to `app` come before the page, which was mounted last."""
    app.router.routes = BeforeLast(app.router.routes)
