"""What the page's scripts ask the server for, beside Gradio and beside the jobs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from gradio import utils
from gradio.exceptions import Error
from starlette.responses import Response as PlainResponse
from starlette.types import Scope

from modules.gui import control_panel, control_values, detail_part, i18n, settings_tab
from modules.gui.described import plain
from modules.gui.guard import refuse_forged
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.sentences import about_missing, in_language
from modules.studio.downloads.helper_files import mentioned_in, missing
from modules.terms.errors import WebuiError

STATIC = Path(__file__).parent / "static"
PREFIX = "/internal/gui"
BUILT_IN = "atelier-mini"
# A1111 looks for it in its own folder.
SOUND = "notification.mp3"
LONGEST_SENTENCE = 4000
# --theme light or dark: Gradio reads it from the address.
_THEME = """
const address = new URL(location.href);
if (!address.searchParams.has("__theme")) {
    address.searchParams.set("__theme", window.atelierBoot.theme);
    history.replaceState(null, "", address);
}
"""
# Settings that the scripts follow.
_FOR_SCRIPTS = (
    "show_progress_in_title",
    "show_progressbar",
    "prevent_screen_sleep_during_generation",
    "gallery_height",
    "extra_networks_card_width",
    "extra_networks_card_height",
    "extra_networks_card_text_scale",
    "extra_networks_card_show_desc",
    "extra_networks_card_description_is_html",
    "extra_networks_card_order_field",
    "extra_networks_card_order",
    "extra_networks_dir_button_function",
    "extra_networks_tree_view_style",
    "extra_networks_tree_view_default_enabled",
    "extra_networks_tree_view_default_width",
    "extra_networks_add_text_separator",
    "keyedit_precision_attention",
    "keyedit_precision_extra",
    "keyedit_delimiters",
    "keyedit_delimiters_whitespace",
    "keyedit_move",
    "prompt_completion",
    "prompt_completion_comma",
    "canvas_hotkey_zoom",
    "canvas_hotkey_adjust",
    "canvas_hotkey_shrink_brush",
    "canvas_hotkey_grow_brush",
    "canvas_hotkey_move",
    "canvas_hotkey_fullscreen",
    "canvas_hotkey_reset",
    "canvas_disabled_functions",
    "canvas_show_tooltip",
    "canvas_blur_prompt",
    "interrupt_after_current",
    "notification_audio",
    "notification_volume",
    "js_modal_lightbox",
    "js_modal_lightbox_initially_zoomed",
    "js_modal_lightbox_gamepad",
    "js_modal_lightbox_gamepad_repeat",
    "js_live_preview_in_modal_lightbox",
    "sd_webui_modal_lightbox_icon_opacity",
    "sd_webui_modal_lightbox_toolbar_opacity",
)


class Lasting(StaticFiles):
    """Files under a path that holds their version: kept by browsers for ever."""

    async def get_response(self, path: str, scope: Scope) -> PlainResponse:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def version() -> str:
    """Changes whenever a script or style sheet of ours does."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def head(stamp: str) -> str:
    """What the page's <head> begins with. Addresses are relative: the page may be served under a sub-path."""
    base = f"{PREFIX.lstrip('/')}/static/{stamp}"
    return (
        '<meta name="color-scheme" content="light dark">'
        f'<script src="{PREFIX.lstrip("/")}/boot.js"></script>'
        f'<link rel="stylesheet" href="{base}/page.css">'
        f'<script type="module" src="{base}/main.js"></script>'
    )


def add_routes(app: FastAPI, studio: Studio, stamp: str) -> None:
    """The page's own routes on `app`; they must stand there before Gradio takes all that is left."""

    def language_of(request: Request) -> str:
        wanted = str(studio.settings["language"])
        if wanted not in i18n.LANGUAGES and studio.settings["localization"] not in ("", "None"):
            # A translation for A1111 goes by the English texts.
            return i18n.FALLBACK
        return i18n.choose(wanted, request.headers.get("accept-language", ""))

    @app.get(f"{PREFIX}/boot.js", include_in_schema=False)
    def boot(request: Request) -> Response:
        language = language_of(request)
        values = {
            "language": language,
            "texts": i18n.for_scripts(language),
            "options": _options(studio),
            "theme": studio.flags.theme,
            "localized": studio.settings["localization"] not in ("", "None"),
            **_state(studio, language),
        }
        # Gradio's page asks the browser for its language; it shall hear the one that was chosen.
        code = (
            f"window.atelierBoot = {_script_json(values)};\n"
            "Object.defineProperty(navigator, 'language', {get: () => window.atelierBoot.language});\n"
            "document.documentElement.lang = window.atelierBoot.language;\n"
            f"{_THEME if studio.flags.theme else ''}"
        )
        return Response(code, media_type="text/javascript", headers={"Cache-Control": "no-store"})

    @app.get(f"{PREFIX}/options", include_in_schema=False)
    def options() -> dict[str, Any]:
        return _options(studio)

    @app.get(f"{PREFIX}/{SOUND}", include_in_schema=False)
    def sound() -> Response:
        path = studio.flags.data_dir / SOUND
        return FileResponse(path, media_type="audio/mpeg") if path.is_file() else Response(status_code=404)

    @app.get(f"{PREFIX}/state", include_in_schema=False)
    def state(request: Request) -> dict[str, Any]:
        return _state(studio, language_of(request))

    @app.get(f"{PREFIX}/told", include_in_schema=False)
    def told(request: Request, sentence: Annotated[str, Query(max_length=LONGEST_SENTENCE)]) -> dict[str, Any]:
        named = missing(studio.flags, mentioned_in(sentence))
        return {
            "text": in_language(sentence, language_of(request)),
            "files": [{"name": one.name, "link": one.link, "kind": one.kind} for one in named],
            "models": bool(named) or about_missing(sentence),
        }

    @app.get(f"{PREFIX}/other_words", include_in_schema=False)
    def other_words(request: Request) -> dict[str, Any]:
        return dict(i18n.other_words(language_of(request)))

    @app.get(f"{PREFIX}/settings", include_in_schema=False)
    def settings(request: Request) -> dict[str, Any]:
        return settings_tab.describe(studio, listing_of(studio), language_of(request))

    @app.post(f"{PREFIX}/settings", include_in_schema=False)
    def change(request: Request, changes: Annotated[dict[str, Any], Body()]) -> JSONResponse:
        try:
            changed = studio.set_options(changes)
        except WebuiError as error:
            return JSONResponse({"detail": str(error)}, status_code=error.status)
        return JSONResponse({"changed": list(changed), "values": {key: plain(studio.settings[key]) for key in changed}})

    @app.get(f"{PREFIX}/details", include_in_schema=False)
    def details(request: Request) -> dict[str, Any]:
        return detail_part.describe(listing_of(studio, hiding=True), language_of(request))

    @app.get(f"{PREFIX}/controlnet", include_in_schema=False)
    def controlnet(request: Request) -> dict[str, Any]:
        return control_panel.describe(studio.refresh("control_models"), language_of(request))

    @app.post(f"{PREFIX}/controlnet/map", include_in_schema=False)
    def control_map(
        unit: Annotated[dict[str, Any], Body()],
        width: Annotated[int, Body(ge=64, le=8192)],
        height: Annotated[int, Body(ge=64, le=8192)],
    ) -> Response:
        try:
            refuse_forged(unit, [Path(utils.get_upload_folder()), *studio.outputs.folders(studio.settings)])
            made = control_values.map_of(unit, (width, height), studio.flags.controlnet_preprocessor_models_dir)
        except Error as error:
            return JSONResponse({"detail": str(error.message)}, status_code=403)
        except WebuiError as error:
            return JSONResponse({"detail": str(error)}, status_code=error.status)
        return Response(made, media_type="image/png")

    app.mount(f"{PREFIX}/static/{stamp}", Lasting(directory=STATIC), name="gui-static")


def _options(studio: Studio) -> dict[str, Any]:
    """The settings that scripts follow, as they are now."""
    values = {key: studio.settings[key] for key in _FOR_SCRIPTS}
    return {**values, "notification_sound": (studio.flags.data_dir / SOUND).is_file()}


def _state(studio: Studio, language: str) -> dict[str, Any]:
    """How far the engine is, and whether there is any checkpoint but the built-in one."""
    names = studio.listing("checkpoints")
    return {
        "engine": in_language(studio.engine_state, language),
        "checkpoints": len(names),
        "only_built_in": all(name.startswith(BUILT_IN) for name in names),
    }


def _script_json(values: Any) -> str:
    # U+2028/9 end a line in old script parsers; "</" would end the element if this were ever inlined.
    text = json.dumps(values, ensure_ascii=False)
    return text.replace("</", "<\\/").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
