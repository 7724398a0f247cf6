"""The Extras tab: pictures that are there, one, several or a folder of them, and the steps that are done to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gradio as gr

from modules.enhance.upscalers.files import factor_in
from modules.gui.canvas import canvas
from modules.gui.extras_request import BATCH, FOLDER, SINGLE, to_extras_request
from modules.gui.form import Tab
from modules.gui.i18n import label
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.open_tabs import open_tabs
from modules.gui.results import JobButtons, bind_jobs, results_column
from modules.gui.run import Runs
from modules.gui.widgets import Fields, Listing, frame, param_field, private, script, switched_accordion, tool_button
from modules.terms.declare import params_of
from modules.terms.extras import (
    AutoCrop,
    Captioning,
    ExtrasRequest,
    FaceRepair,
    FlippedCopies,
    FocalCrop,
    SplitOversized,
    Upscaling,
)

TAB = "extras"
CANVAS = "extras"
CANVAS_HEIGHT = 420
# Switch, its words, the step, and A1111's name of it, by which the settings leave it out.
STEPS: tuple[tuple[str, str, type, str], ...] = (
    ("split", "page.extras.split", SplitOversized, "Split oversized images"),
    ("focal_crop", "page.extras.focal_crop", FocalCrop, "Auto focal point crop"),
    ("auto_crop", "page.extras.auto_crop", AutoCrop, "Auto-sized crop"),
    ("flips", "page.extras.flips", FlippedCopies, "Create flipped copies"),
    ("captions", "page.extras.captions", Captioning, "Caption"),
)
FACES = (("gfpgan", "page.extras.gfpgan", "GFPGAN"), ("codeformer", "page.extras.codeformer", "CodeFormer"))


def build(studio: Studio) -> Tab:
    """Builds the tab inside the surrounding Blocks."""
    tab = Tab(TAB, Fields(), Fields())
    listing = listing_of(studio)
    with gr.Row(elem_id=f"{TAB}_body", elem_classes=["tab-body"]):
        with gr.Column(elem_id=f"{TAB}_settings", elem_classes=["settings-column"], scale=1, min_width=320):
            files = _sources(studio, tab)
            _steps(studio, tab.fields, listing)
            if studio.host is not None:
                for name, component in studio.host.page.postprocessing():
                    tab.scripts.add(name, component)
        with gr.Column(elem_id=f"{TAB}_results", elem_classes=["results-column"], scale=1, min_width=320):
            buttons = _buttons()
            results = results_column(TAB)

    def request_of(values: Mapping[str, Any]) -> ExtrasRequest:
        request = to_extras_request(studio, values)
        if studio.host is None:
            return request
        return request.with_(scripts=studio.host.page.asked_of_postprocessing(values))

    runs = Runs(studio, TAB, request_of)
    # Uploaded files are no part of the draft: they are gone from the page after a reload.
    asked = Fields({**tab.asked.components, "files": files})
    bind_jobs(studio, TAB, runs, asked, buttons, results)
    return dataclasses.replace(tab, send=results.send)


def _buttons() -> JobButtons:
    with gr.Row(elem_id=f"{TAB}_generate_box", elem_classes=["generate-box"]):
        generate = gr.Button(label("page.generate"), variant="primary", elem_id=f"{TAB}_generate")
        interrupt = gr.Button(label("page.interrupt"), elem_id=f"{TAB}_interrupt", elem_classes=["while-running"])
        skip = gr.Button(label("page.skip"), elem_id=f"{TAB}_skip", elem_classes=["while-running"])
    frame(f'<div class="queue-line" id="{TAB}_queue" role="status"></div>')
    cancel_waiting = gr.Button("", elem_id=f"{TAB}_cancel_waiting", visible="hidden")
    return JobButtons(generate, interrupt, skip, cancel_waiting)


def _sources(studio: Studio, tab: Tab) -> gr.File:
    """Where the pictures come from; returns the component for several files."""
    with open_tabs("mode", tab.fields, SINGLE, elem_id=f"mode_{TAB}") as page:
        with page(SINGLE, "page.extras.single", f"{TAB}_single_tab"):
            tab.pictures.add(CANVAS, canvas(CANVAS, elem_id=f"{TAB}_image", height=CANVAS_HEIGHT))
        with page(BATCH, "page.extras.batch", f"{TAB}_batch_process_tab"):
            files = gr.File(
                label=label("page.extras.files"),
                file_count="multiple",
                file_types=["image"],
                type="filepath",
                elem_id=f"{TAB}_image_batch",
                height=240,
            )
        if not studio.flags.hide_ui_dir_config:
            with page(FOLDER, "page.extras.folder", f"{TAB}_batch_directory_tab"):
                _folders(tab.fields)
    return files


def _folders(fields: Fields) -> None:
    for name, text, elem_id in (
        ("input_folder", "page.extras.input_folder", "input_dir"),
        ("output_folder", "page.extras.output_folder", "output_dir"),
    ):
        fields.add(name, gr.Textbox("", label=label(text), elem_id=f"{TAB}_batch_{elem_id}"))
    shown = gr.Checkbox(True, label=label("page.extras.show_results"), elem_id=f"{TAB}_show_extras_results")
    fields.add("show_results", shown)


def _steps(studio: Studio, fields: Fields, listing: Listing) -> None:
    left_out = set(studio.settings["postprocessing_disable_in_extras"])
    if "Upscale" not in left_out:
        with switched_accordion(fields, "upscaling", "page.extras.upscale", elem_id=f"{TAB}_upscale", on=True):
            _upscaling(studio, fields, listing)
    for name, text, title in FACES:
        if title not in left_out:
            with switched_accordion(fields, name, text, elem_id=f"{TAB}_{name}"):
                _faces(fields, name, listing)
    for name, text, owner, title in STEPS:
        if title not in left_out:
            with switched_accordion(fields, name, text, elem_id=f"{TAB}_{name}"):
                for one in params_of(owner):
                    param_field(fields, owner, one, listing, part=name, elem_id=f"{TAB}_{name}_{one}")


def _faces(fields: Fields, name: str, listing: Listing) -> None:
    part, own = "faces", FaceRepair
    with gr.Row(elem_classes=["two"]):
        param_field(fields, own, f"{name}_visibility", listing, part=part, elem_id=f"{TAB}_{name}_visibility", value=1)
        if name == "codeformer":
            param_field(fields, own, "codeformer_weight", listing, part=part, elem_id=f"{TAB}_codeformer_weight")


def _upscaling(studio: Studio, fields: Fields, listing: Listing) -> None:
    def field(name: str, elem_id: str, **options: Any) -> Any:
        return param_field(fields, Upscaling, name, listing, part="upscaling", elem_id=f"{TAB}_{elem_id}", **options)

    with open_tabs("resize_tab", fields, "by", elem_id=f"{TAB}_resize_mode") as page:
        with page("by", "page.extras.scale_by", f"{TAB}_scale_by_tab"), gr.Row(elem_classes=["two"]):
            scale = field("scale", "upscaling_resize")
            field("max_side", "upscaling_max_side_length")
        with page("to", "page.extras.scale_to", f"{TAB}_scale_to_tab"):
            with gr.Row(elem_classes=["two"]):
                size = [field("width", "upscaling_resize_w"), field("height", "upscaling_resize_h")]
            with gr.Row(elem_classes=["seed-row"]):
                field("crop", "upscaling_crop")
                swap = tool_button("page.swap_size", elem_id=f"{TAB}_upscaling_res_switch_btn", icon="swap")
            swap.click(fn=None, js=script("swapSize"), inputs=size, outputs=size, **private())
    with gr.Row(elem_classes=["two"]):
        upscaler = field("upscaler", "upscaler_1")
        field("upscaler_2", "upscaler_2")
    field("upscaler_2_visibility", "upscaler_2_visibility")

    def own_factor(name: str) -> Any:
        factor = factor_in(name) if studio.settings["set_scale_by_when_changing_upscaler"] else None
        return gr.update() if factor is None else factor

    upscaler.input(own_factor, upscaler, scale, **private())
