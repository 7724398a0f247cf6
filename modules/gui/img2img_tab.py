"""The img2img tab: six modes with their canvases, the fields of inpainting, and what it shares with txt2img."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import gradio as gr

from modules.gui import control_panel, form
from modules.gui.batch_captions import write_captions
from modules.gui.batch_mode import FILES, batch_mode, to_picture_batch
from modules.gui.canvas import Brush, canvas
from modules.gui.cards_part import with_cards
from modules.gui.detail_part import detail_part
from modules.gui.extensions_part import building_tab, left_to, scripts_part, section, with_scripts
from modules.gui.extra_options import extra_options, overrides_in
from modules.gui.form import Tab
from modules.gui.i18n import label, param_key, say
from modules.gui.img2img_request import (
    AREAS,
    MASK_MODES,
    MASKED_CONTENT,
    RESIZE_MODES,
    picture_and_mask,
    to_img2img_request,
)
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.part_values import SCRIPTS
from modules.gui.prompt_row import PromptRow, prompt_row
from modules.gui.results import bind_generation, results_column
from modules.gui.run import language_now, told
from modules.gui.script_part import script_part
from modules.gui.widgets import Fields, Listing, frame, param_field, private, script, tool_button
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest, Mask, Source

TAB = "img2img"
DENOISING = 0.75
# The canvases that a picture can be copied to from the one below: canvas -> the mode that it stands in.
COPIES = {"image": "img2img", "sketch": "sketch", "inpaint": "inpaint", "inpaint_sketch": "inpaint_sketch"}


def build(studio: Studio) -> Tab:
    """Builds the tab inside the surrounding Blocks."""
    tab = Tab(TAB, Fields(), Fields())
    fields = tab.fields
    listing = listing_of(studio, hiding=True)
    with building_tab(studio, TAB):
        top = prompt_row(TAB, fields, listing)
        with (
            with_cards(studio, TAB),
            gr.Row(elem_id=f"{TAB}_body", elem_classes=["tab-body"]),
        ):
            with form.settings_column(TAB, studio.settings):
                files = _modes(studio, tab)
                _settings(studio, tab, listing)
            with gr.Column(elem_id=f"{TAB}_results", elem_classes=["results-column"], scale=1, min_width=320):
                results = results_column(TAB)

    def request_of(values: Mapping[str, Any]) -> GenerationRequest | PictureBatch:
        settings = overrides_in(studio, values)
        if values.get("mode") == "batch":
            batch = to_picture_batch(studio, values, settings)
            return batch.with_(request=with_scripts(studio, TAB, batch.request, values))
        return with_scripts(studio, TAB, to_img2img_request(values, settings), values)

    everything = [*tab.asked.components, FILES]
    bind_generation(
        studio, tab, top, results, request_of, before=script("readyImg2img", everything), more=Fields({FILES: files})
    )
    _bind_describing(studio, tab, top)
    return dataclasses.replace(tab, send=results.send)


def _bind_describing(studio: Studio, tab: Tab, top: PromptRow) -> None:
    """The buttons that put the picture of the open mode into words, as the prompt; those of a batch, as text files."""
    everything = tab.everything
    done = gr.Textbox(visible="hidden", elem_id=f"{TAB}_described")

    def describe(model: str, *values: Any) -> tuple[Any, str]:
        named = everything.named(values)
        if named["mode"] == "batch":
            count, folder = told(studio, lambda: write_captions(studio, named, model))
            return gr.skip(), say("notice.captioned", language_now(studio), count=count, folder=folder)
        return told(studio, lambda: studio.caption(picture_and_mask(str(named["mode"]), named)[0], model)), ""

    for model, button in top.describe.items():
        button.click(
            partial(describe, model),
            everything.inputs,
            [top.prompt, done],
            js=script("readyImg2img", list(everything.components)),
            **private(),
        ).success(fn=None, js=script("tellSaved"), inputs=done, **private())


def _modes(studio: Studio, tab: Tab) -> gr.File:
    """The tabs of the modes. Which one is open is known to the page's script, which says so at Generate.

    Returns the component for the files of a batch.
    """
    settings = studio.settings
    height = int(settings["img2img_editor_height"])

    def place(name: str, elem_id: str, brush: Brush = "none", colour: str = "", holds: str = "picture") -> None:
        made = canvas(
            name,
            elem_id=elem_id,
            brush=brush,
            colour=str(settings[colour]) if colour else "#ffffff",
            holds=holds,
            # Two of them in one mode share the height.
            height=height // 2 if name.startswith("inpaint_") and brush == "none" else height,
        )
        tab.pictures.add(name, made)

    for hidden in ("mode", "resize_tab"):
        tab.fields.add(hidden, gr.Textbox("", visible="hidden", elem_id=f"{TAB}_{hidden}"))
    with gr.Tabs(elem_id="mode_img2img", elem_classes=["modes"], overflow_behavior="wrap") as modes:
        with gr.Tab(label("page.mode.img2img"), id="img2img", elem_id="img2img_img2img_tab"):
            place("image", "img2img_image")
        with gr.Tab(label("page.mode.sketch"), id="sketch", elem_id="img2img_img2img_sketch_tab"):
            place("sketch", "img2img_sketch", "colour", "img2img_sketch_default_brush_color")
        with gr.Tab(label("page.mode.inpaint"), id="inpaint", elem_id="img2img_inpaint_tab"):
            place("inpaint", "img2maskimg", "mask", "img2img_inpaint_mask_brush_color")
        with gr.Tab(label("page.mode.inpaint_sketch"), id="inpaint_sketch", elem_id="img2img_inpaint_sketch_tab"):
            place("inpaint_sketch", "inpaint_sketch", "colour", "img2img_inpaint_sketch_default_brush_color")
        with gr.Tab(label("page.mode.inpaint_upload"), id="inpaint_upload", elem_id="img2img_inpaint_upload_tab"):
            place("inpaint_base", "img_inpaint_base")
            place("inpaint_mask", "img_inpaint_mask", holds="mask")
        with gr.Tab(label("page.mode.batch"), id="batch", elem_id="img2img_batch_tab"):
            files = batch_mode(studio, tab.fields)
    _remember(modes, "mode")
    _copies(tab)
    return files


def _remember(tabs: gr.Tabs, which: str) -> None:
    """Tells the page's script which of `tabs` is open, however that came about."""
    for one in tabs.children:
        if isinstance(one, gr.Tab):
            one.select(fn=None, js=script("chooseTab", which, one.id), **private())
    # On a narrow screen some tabs are only in a menu, where no script can press them.
    switch = gr.Button("", visible="hidden", elem_id=f"{TAB}_open_{which}")
    switch.click(fn=None, js=script("wantedTab", which), outputs=tabs, **private())


def _copies(tab: Tab) -> None:
    """Buttons that copy the picture of the open mode to another one."""
    with gr.Row(elem_id=f"{TAB}_copy_row", elem_classes=["copy-row"]):
        frame(f'<span class="copy-label" id="{TAB}_copy_label"></span>')
        for name, mode in COPIES.items():
            button = gr.Button(
                label(f"page.mode.{mode}"), size="sm", min_width=0, elem_id=f"{TAB}_copy_to_{mode}", scale=0
            )
            target = tab.pictures.components[name]
            button.click(
                fn=None, js=script("copyPicture", mode), inputs=tab.pictures.inputs, outputs=target, **private()
            )


def _settings(studio: Studio, tab: Tab, listing: Listing) -> None:
    fields = tab.fields
    _words(fields, "source.resize_mode", RESIZE_MODES, param_key(Source, "resize_mode"), elem_id="resize_mode")
    _inpainting(fields, listing)
    section(studio, TAB, "image")
    section(studio, TAB, "inpaint")
    form.sampling_row(TAB, fields, listing, studio.settings)
    section(studio, TAB, "sampler")
    with gr.Row(elem_id=f"{TAB}_accordions", elem_classes=["accordions"]):
        form.refiner_part(TAB, fields, listing)
        if not left_to(studio, "adetailer"):
            detail_part(TAB, fields)
        for part in SCRIPTS:
            script_part(fields, listing, part)
        section(studio, TAB, "accordions")
    section(studio, TAB, "checkboxes")
    with form.dimensions_row(TAB, studio.settings, "wide-size") as batch:
        with gr.Tabs(
            elem_id=f"{TAB}_tabs_resize", elem_classes=["modes", "size-tabs"], overflow_behavior="wrap"
        ) as sizes:
            with gr.Tab(label("page.resize_to"), id="to", elem_id=f"{TAB}_tab_resize_to"):
                _resize_to(fields, listing)
            with gr.Tab(label("page.resize_by"), id="by", elem_id=f"{TAB}_tab_resize_by"):
                _resize_by(fields)
        _remember(sizes, "resize")
        batch(fields, listing)
    section(studio, TAB, "dimensions")
    section(studio, TAB, "batch")
    with gr.Row(elem_classes=["two"]):
        param_field(fields, GenerationRequest, "cfg_scale", listing, elem_id=f"{TAB}_cfg_scale")
        param_field(fields, GenerationRequest, "distilled_cfg_scale", listing, elem_id=f"{TAB}_distilled_cfg_scale")
        param_field(
            fields,
            GenerationRequest,
            "denoising_strength",
            listing,
            elem_id=f"{TAB}_denoising_strength",
            value=DENOISING,
        )
    param_field(fields, Source, "image_cfg_scale", listing, part="source", elem_id=f"{TAB}_image_cfg_scale")
    section(studio, TAB, "cfg")
    section(studio, TAB, "denoising")
    form.seed_rows(TAB, fields, listing)
    section(studio, TAB, "seed")
    control_panel.build(TAB, fields)
    extra_options(studio, tab)
    form.override_field(TAB, fields)
    section(studio, TAB, "override_settings")
    scripts_part(studio, tab)


def _resize_to(fields: Fields, listing: Listing) -> None:
    with gr.Row(elem_classes=["size-row"]):
        tools = form.size_columns(TAB, fields, listing)
    with tools:
        detect = tool_button("page.detect_size", elem_id=f"{TAB}_detect_image_size_btn", icon="measure")
    size = [fields.components["width"], fields.components["height"]]
    detect.click(fn=None, js=script("detectSize"), inputs=size, outputs=size, **private())


def _resize_by(fields: Fields) -> None:
    scale = gr.Slider(0.05, 4, value=1, step=0.05, label=label("page.scale_by"), buttons=[], elem_id=f"{TAB}_scale")
    fields.add("scale_by", scale)
    frame('<span class="hires-size"></span>', elem_id=f"{TAB}_scale_resolution_preview")
    scale.change(fn=None, js=script("scalePreview"), inputs=scale, **private())


def _inpainting(fields: Fields, listing: Listing) -> None:
    """The fields that only the modes with a mask have; the page shows them with those."""
    with gr.Column(elem_id="inpaint_controls", elem_classes=["inpaint-controls"]):
        with gr.Row(elem_classes=["two"]):
            _words(fields, "mask.mode", MASK_MODES, param_key(Mask, "invert"), elem_id=f"{TAB}_mask_mode")
            _words(fields, "mask.area", AREAS, param_key(Mask, "only_masked"), elem_id=f"{TAB}_inpaint_full_res")
        _words(
            fields,
            "mask.fill",
            MASKED_CONTENT,
            param_key(Mask, "fill"),
            elem_id=f"{TAB}_inpainting_fill",
            value="original",
        )
        with gr.Row(elem_classes=["two"]):
            for name, most, value, text in (
                ("blur", 64, 4, "page.mask_blur"),
                ("alpha", 100, 0, "page.mask_alpha"),
            ):
                slider = gr.Slider(
                    0, most, value=value, step=1, label=label(text), buttons=[], elem_id=f"{TAB}_mask_{name}"
                )
                fields.add(f"mask.{name}", slider)
            param_field(fields, Mask, "padding", listing, part="mask", elem_id=f"{TAB}_inpaint_full_res_padding")


def _words(fields: Fields, name: str, words: Sequence[str], key: str, *, elem_id: str, value: str = "") -> None:
    """A radio of words that mean what infotext calls them, in the language of the page."""
    choices = [(label(f"choice.{word}"), word) for word in words]
    radio = gr.Radio(choices, value=value or words[0], label=label(key), elem_id=elem_id, elem_classes=["words"])
    fields.add(name, radio)
