"""The whole page: quicksettings, tabs, and Gradio mounted on the server's app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from modules.gui import (
    extras_tab,
    form,
    i18n,
    img2img_tab,
    library_tab,
    merger_tab,
    models_tab,
    png_info_tab,
    quicksettings,
    routes,
    send_to,
    settings_tab,
    txt2img_tab,
)
from modules.gui.extensions_part import building
from modules.gui.front import FrontDoor
from modules.gui.guard import GuardedBlocks
from modules.gui.i18n import label
from modules.gui.needs import Studio
from modules.gui.pictures import serve_in_place
from modules.gui.theme import theme
from modules.gui.widgets import frame, private, script

MAX_UPLOAD = "256mb"
FAVICON = routes.STATIC / "favicon.png"


def mount(app: FastAPI, studio: Studio) -> None:
    """The page at "/" of `app`. Call it last: Gradio answers everything that no route before it took."""
    stamp = routes.version()
    routes.add_routes(app, studio, stamp)
    demo = build(studio)
    serve_in_place(_folders(studio))
    gr.mount_gradio_app(
        app,
        demo,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        max_file_size=MAX_UPLOAD,
        favicon_path=str(FAVICON),
        i18n=i18n.for_components(studio.settings.catalogue.values()),
        theme=theme(),
    )
    demo.mounted()
    gradio = app.router.routes[-1]
    gradio.app = FrontDoor(gradio.app, routes.head(stamp))  # type: ignore[attr-defined]


def build(studio: Studio) -> GuardedBlocks:
    """The components and their events, not yet served."""
    demo = GuardedBlocks(folders=lambda: _folders(studio), title="Atelier", analytics_enabled=False, fill_width=True)
    with demo, building(studio):
        frame('<div id="notices" role="status"></div>', elem_id="notice_bar")
        quick = quicksettings.build(studio)
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(label("page.tab.txt2img"), id="txt2img", elem_id="tab_txt2img"):
                tab = txt2img_tab.build(studio)
            with gr.Tab(label("page.tab.img2img"), id="img2img", elem_id="tab_img2img"):
                img2img = img2img_tab.build(studio)
            with gr.Tab(label("page.tab.extras"), id="extras", elem_id="tab_extras"):
                extras = extras_tab.build(studio)
            with gr.Tab(label("page.tab.png_info"), id="pnginfo", elem_id="tab_pnginfo"):
                png_info_tab.build(studio, tab, img2img, extras)
            with gr.Tab(label("page.tab.modelmerger"), id="modelmerger", elem_id="tab_modelmerger"):
                merger = merger_tab.build(studio)
            with gr.Tab(label("page.tab.library"), id="library", elem_id="tab_library") as library:
                library_tab.build(studio, tab, img2img, extras)
            with gr.Tab(label("page.tab.models"), id="models", elem_id="tab_models") as models:
                models_tab.build()
            with gr.Tab(label("page.tab.settings"), id="settings", elem_id="tab_settings") as settings:
                settings_tab.build()
        library.select(fn=None, js=script("openLibrary"), **private())
        models.select(fn=None, js=script("openModels"), **private())
        settings.select(fn=None, js=script("openSettings"), **private())
        for source in (tab, img2img, extras):
            send_to.bind(studio, source, img2img, extras)
        _bind_opening(demo, studio, quick, (tab, img2img, extras, merger))
    return demo


def _bind_opening(
    demo: gr.Blocks, studio: Studio, quick: list[quicksettings.QuickSetting], tabs: Sequence[form.Tab]
) -> None:
    """The components are as old as the server: whoever opens the page gets today's choices and their own draft."""
    listed = [tab.fields.components[name] for tab in tabs for name in tab.fields.listed]

    def today() -> list[Any]:
        fresh = [update for tab in tabs for update in form.refreshed(studio, tab.fields)]
        return [*quicksettings.refreshed(studio, quick), *fresh]

    outputs = [*(one.component for one in quick), *listed]
    if outputs:
        demo.load(today, None, outputs, **private())
        again = gr.Button("", visible="hidden", elem_id="refresh_choices")
        again.click(today, None, outputs, **private())
    for tab in tabs:
        demo.load(
            fn=None,
            js=script("loadDraft", tab.name, list(tab.draft.components)),
            inputs=tab.draft.inputs,
            outputs=tab.draft.inputs,
            **private(),
        )


def _folders(studio: Studio) -> tuple[Path, ...]:
    return tuple(studio.outputs.folders(studio.settings))
