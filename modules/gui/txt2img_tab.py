"""The txt2img tab: A1111's arrangement and element ids, events bound to the studio."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gradio as gr

from modules.gui import control_panel, form
from modules.gui.cards_part import with_cards
from modules.gui.detail_part import detail_part
from modules.gui.extensions_part import building_tab, left_to, scripts_part, section, with_scripts
from modules.gui.extra_options import extra_options, overrides_in
from modules.gui.form import Tab
from modules.gui.i18n import label
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.prompt_row import prompt_row
from modules.gui.request import to_request
from modules.gui.results import bind_generation, results_column
from modules.gui.upscale_button import bind_upscale
from modules.gui.widgets import Fields, Listing, frame, param_field, private, script, switched_accordion
from modules.settings.store import Settings
from modules.terms.request import GenerationRequest, Hires

TAB = "txt2img"


def build(studio: Studio) -> Tab:
    """Builds the tab inside the surrounding Blocks."""
    tab = Tab(TAB, Fields())
    fields = tab.fields
    listing = listing_of(studio, hiding=True)
    with building_tab(studio, TAB):
        top = prompt_row(TAB, fields, listing)
        with (
            with_cards(studio, TAB),
            gr.Row(elem_id=f"{TAB}_body", elem_classes=["tab-body"]),
        ):
            with form.settings_column(TAB, studio.settings):
                _settings(studio, tab, listing)
            with gr.Column(elem_id=f"{TAB}_results", elem_classes=["results-column"], scale=1, min_width=320):
                results = results_column(TAB)

    def request_of(values: Mapping[str, Any]) -> GenerationRequest:
        return with_scripts(studio, TAB, to_request(values, overrides_in(studio, values)), values)

    before = script("readyTxt2img", list(tab.asked.components))
    bind_generation(studio, tab, top, results, request_of, before=before)
    if results.upscale is not None:
        bind_upscale(studio, tab, results.upscale)
    size = [fields.components[name] for name in ("width", "height", "hires.scale", "hires.resize_x", "hires.resize_y")]
    gr.on(
        form.changes([*size, fields.components["hires"]]),
        fn=None,
        js=script("hiresSize", TAB),
        inputs=size,
        **private(),
    )
    return dataclasses.replace(tab, send=results.send)


def _settings(studio: Studio, tab: Tab, listing: Listing) -> None:
    fields = tab.fields
    form.sampling_row(TAB, fields, listing, studio.settings)
    section(studio, TAB, "sampler")
    with gr.Row(elem_id=f"{TAB}_accordions", elem_classes=["accordions"]):
        _hires(fields, listing, studio.settings)
        form.refiner_part(TAB, fields, listing)
        if not left_to(studio, "adetailer"):
            detail_part(TAB, fields)
        section(studio, TAB, "accordions")
    section(studio, TAB, "checkboxes")
    with form.dimensions_row(TAB, studio.settings) as batch:
        form.size_columns(TAB, fields, listing)
        batch(fields, listing)
    section(studio, TAB, "dimensions")
    section(studio, TAB, "batch")
    param_field(fields, GenerationRequest, "cfg_scale", listing, elem_id=f"{TAB}_cfg_scale")
    param_field(fields, GenerationRequest, "distilled_cfg_scale", listing, elem_id=f"{TAB}_distilled_cfg_scale")
    section(studio, TAB, "cfg")
    form.seed_rows(TAB, fields, listing)
    section(studio, TAB, "seed")
    control_panel.build(TAB, fields)
    extra_options(studio, tab)
    form.override_field(TAB, fields)
    section(studio, TAB, "override_settings")
    scripts_part(studio, tab)


def _hires(fields: Fields, listing: Listing, settings: Settings) -> None:
    with switched_accordion(fields, "hires", "page.hires", elem_id=f"{TAB}_hr"):
        frame('<span class="hires-size"></span>', elem_id=f"{TAB}_hires_size")
        with gr.Row(elem_id=f"{TAB}_hires_fix_row1", elem_classes=["three"]):
            param_field(fields, Hires, "upscaler", listing, part="hires", elem_id=f"{TAB}_hr_upscaler")
            param_field(fields, Hires, "steps", listing, part="hires", elem_id=f"{TAB}_hires_steps")
            param_field(
                fields,
                GenerationRequest,
                "denoising_strength",
                listing,
                elem_id=f"{TAB}_denoising_strength",
                value=0.7,
            )
        with gr.Row(elem_id=f"{TAB}_hires_fix_row2", elem_classes=["three"]):
            param_field(fields, Hires, "scale", listing, part="hires", elem_id=f"{TAB}_hr_scale")
            param_field(fields, Hires, "resize_x", listing, part="hires", elem_id=f"{TAB}_hr_resize_x")
            param_field(fields, Hires, "resize_y", listing, part="hires", elem_id=f"{TAB}_hr_resize_y")
        shown = {"hires_fix_show_sampler": _hires_sampling, "hires_fix_show_prompts": _hires_prompts}
        for key, build_row in shown.items():
            if settings[key]:
                build_row(fields, listing)
        rest = [build_row for key, build_row in shown.items() if not settings[key]]
        if rest:
            with gr.Accordion(
                label("page.hires_more"), open=False, elem_id=f"{TAB}_hires_more", elem_classes=["quiet"]
            ):
                for build_row in rest:
                    build_row(fields, listing)


def _hires_sampling(fields: Fields, listing: Listing) -> None:
    with gr.Row(elem_id=f"{TAB}_hires_fix_row3", elem_classes=["three"]):
        for name, text, elem_id in (
            ("checkpoint", "page.same_checkpoint", "hr_checkpoint"),
            ("sampler", "page.same_sampler", "hr_sampler"),
            ("scheduler", "page.same_scheduler", "hr_scheduler"),
        ):
            param_field(fields, Hires, name, listing, part="hires", elem_id=elem_id, first=(label(text), ""))


def _hires_prompts(fields: Fields, listing: Listing) -> None:
    with gr.Row(elem_id=f"{TAB}_hires_fix_row4", elem_classes=["two"]):
        param_field(fields, Hires, "prompt", listing, part="hires", elem_id="hires_prompt")
        param_field(fields, Hires, "negative_prompt", listing, part="hires", elem_id="hires_neg_prompt")
