"""The whole page: quicksettings, tabs, and Gradio mounted on the server's app."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import gradio as gr
from fastapi import FastAPI

from modules.gui import (
    about_routes,
    extensions_tab,
    extras_tab,
    footer,
    i18n,
    img2img_tab,
    keeping_routes,
    library_tab,
    merger_tab,
    models_tab,
    png_info_tab,
    queue_tab,
    quicksettings,
    routes,
    send_to,
    settings_tab,
    train_tab,
    txt2img_tab,
)
from modules.gui.arrangement import TITLES, arrange
from modules.gui.extensions_part import building, connect_senders, extension_tabs, know_tabs, script_files
from modules.gui.front import FrontDoor
from modules.gui.guard import GuardedBlocks
from modules.gui.i18n import label
from modules.gui.needs import Studio
from modules.gui.opening import Opening
from modules.gui.pictures import serve_in_place
from modules.gui.script_words import put_into_words
from modules.gui.theme import theme
from modules.gui.ui_config import UiConfig
from modules.gui.widgets import frame, private, script

MAX_UPLOAD = "256mb"
FAVICON = routes.STATIC / "favicon.png"


def mount(app: FastAPI, studio: Studio) -> gr.Blocks:
    """The page at "/" of `app`. Call it last: Gradio answers everything that no route before it took."""
    stamp = routes.version()
    routes.add_routes(app, studio, stamp)
    config = UiConfig(studio.flags.ui_config_file)
    keeping_routes.add_routes(app, studio, config)
    about_routes.add_routes(app, studio, config)
    if studio.host is not None:
        studio.host.page.add_routes(app)
    demo, opening = build(studio, config)
    serve_in_place(_folders(studio))
    with demo.described_once():
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
    brought = studio.host.page.head() if studio.host is not None else ""
    gradio.app = FrontDoor(gradio.app, routes.head(stamp) + brought, partial(opening.renew, demo))  # type: ignore[attr-defined]
    if studio.host is not None:
        studio.host.page.mounted(demo, app)
    return demo


def build(studio: Studio, config: UiConfig | None = None) -> tuple[GuardedBlocks, Opening]:
    """The components and their events, not yet served, and what brings them up to date. `config`: what the fields begin
    with."""
    demo = GuardedBlocks(folders=lambda: _folders(studio), title="Atelier", analytics_enabled=False, fill_width=True)
    with demo, building(studio):
        frame('<div id="notices" role="status"></div>', elem_id="notice_bar")
        quick = quicksettings.build(studio)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab(label("page.tab.txt2img"), id="txt2img", elem_id="tab_txt2img"):
                tab = txt2img_tab.build(studio)
            with gr.Tab(label("page.tab.img2img"), id="img2img", elem_id="tab_img2img"):
                img2img = img2img_tab.build(studio)
            with gr.Tab(label("page.tab.extras"), id="extras", elem_id="tab_extras"):
                extras = extras_tab.build(studio)
            know_tabs(studio, tab, img2img, extras)
            with gr.Tab(label("page.tab.png_info"), id="pnginfo", elem_id="tab_pnginfo"):
                png_info_tab.build(studio, tab, img2img, extras)
            with gr.Tab(label("page.tab.modelmerger"), id="modelmerger", elem_id="tab_modelmerger"):
                merger = merger_tab.build(studio)
            with gr.Tab(label("page.tab.train"), id="train", elem_id="tab_train"):
                train_tab.build(studio)
            with gr.Tab(label("page.tab.library"), id="library", elem_id="tab_library") as library:
                library_tab.build(studio, tab, img2img, extras)
            with gr.Tab(label("page.tab.models"), id="models", elem_id="tab_models") as models:
                models_tab.build()
            extension_tabs(studio)
            with gr.Tab(label("page.tab.queue"), id="queue", elem_id="tab_queue") as queue:
                queue_tab.build()
            with gr.Tab(label("page.tab.extensions"), id="extensions", elem_id="tab_extensions") as extensions:
                extensions_tab.build()
            with gr.Tab(label("page.tab.settings"), id="settings", elem_id="tab_settings") as settings:
                settings_tab.build()
        footer.build()
        extensions.select(fn=None, js=script("openExtensions"), **private())
        library.select(fn=None, js=script("openLibrary"), **private())
        connect_senders(studio, img2img, extras)
        if config is not None:
            for one in (tab, img2img, extras, merger):
                config.adopt(one, script_files(studio, one) if one.scripts.components else {})
        models.select(fn=None, js=script("openModels"), **private())
        queue.select(fn=None, js=script("openQueue"), **private())
        for source in (tab, img2img):
            queue_tab.bind_duplicate(studio, source)
        settings.select(fn=None, js=script("openSettings"), **private())
        for source in (tab, img2img, extras):
            send_to.bind(studio, source, img2img, extras)
        opening = Opening(studio, quick, (tab, img2img, extras, merger))
        opening.bind(demo)
    put_into_words(demo)
    arrange(demo, studio.settings, TITLES)
    return demo, opening


def _folders(studio: Studio) -> tuple[Path, ...]:
    return tuple(studio.outputs.folders(studio.settings))
