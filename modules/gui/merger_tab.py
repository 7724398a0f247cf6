"""The Checkpoint Merger tab, in A1111's arrangement and with its element ids; below it LoRA extraction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.gui import i18n
from modules.gui.form import Tab
from modules.gui.given import given
from modules.gui.i18n import label, param_key
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.run import Runs, language_now, shown, told
from modules.gui.widgets import Fields, Listing, frame, param_field, private, script, tool_button, words
from modules.studio.strangers import check_may_write_models
from modules.terms.declare import Text, params_of
from modules.terms.merging import (
    ADD_DIFFERENCE,
    NO_INTERPOLATION,
    WEIGHTED_SUM,
    ExtractRequest,
    MergeRequest,
)

TAB = "modelmerger"
ABOUT = {
    NO_INTERPOLATION: "page.merger.about_none",
    WEIGHTED_SUM: "page.merger.about_sum",
    ADD_DIFFERENCE: "page.merger.about_difference",
}
MODELS = (("primary", "A"), ("secondary", "B"), ("tertiary", "C"))


def build(studio: Studio) -> Tab:
    """Builds the tab inside the surrounding Blocks."""
    tab = Tab(TAB, Fields())
    listing = listing_of(studio)
    with gr.Row(elem_id=f"{TAB}_body", elem_classes=["tab-body"]):
        with gr.Column(elem_id=f"{TAB}_settings", elem_classes=["settings-column"], scale=1, min_width=320):
            _recipe(studio, tab.fields, listing)
            merge = gr.Button(label("page.merger.merge"), variant="primary", elem_id=f"{TAB}_merge")
            extract = _extraction(studio, tab.fields, listing)
        with gr.Column(elem_id=f"{TAB}_results", elem_classes=["results-column"], scale=1, min_width=320):
            _results(studio, tab.fields, {merge: _allowed(studio, to_merge), extract: _allowed(studio, to_extract)})
    return tab


def _allowed(studio: Studio, to_request: ToRequest) -> ToRequest:
    def asked(values: Mapping[str, Any]) -> MergeRequest | ExtractRequest:
        check_may_write_models(studio.flags, known=bool(studio.flags.page_logins))
        return to_request(values)

    return asked


def to_merge(values: Mapping[str, Any]) -> MergeRequest:
    """What the upper half asks for. An emptied field counts as empty, not as its default."""
    return MergeRequest(**given(MergeRequest, values, "merge."))


def to_extract(values: Mapping[str, Any]) -> ExtractRequest:
    """What the lower half asks for."""
    return ExtractRequest(**given(ExtractRequest, values, "extract."))


def _recipe(studio: Studio, fields: Fields, listing: Listing) -> None:
    def field(name: str, elem_id: str = "", **options: Any) -> Component:
        elem_id = f"{TAB}_{elem_id or name}"
        control = params_of(MergeRequest)[name].control
        if isinstance(control, Text) and control.placeholder:
            options["placeholder"] = label(f"{param_key(MergeRequest, name)}.placeholder")
        return param_field(fields, MergeRequest, name, listing, part="merge", elem_id=elem_id, **options)

    about = gr.Markdown(label(ABOUT[WEIGHTED_SUM]), elem_id=f"{TAB}_interp_description")
    with gr.Row(elem_id=f"{TAB}_models"):
        models = [
            _chosen(studio, field(name, f"{name}_model_name", min_width=190), f"refresh_checkpoint_{letter}")
            for name, letter in MODELS
        ]
    field("custom_name")
    field("multiplier", "interp_amount")
    method = field("method", "interp_method")
    with gr.Row():
        field("file_format", "checkpoint_format", min_width=160)
        field("number_format", "save_as_half", min_width=200)
    with gr.Row():
        field("config_source", "config_method", min_width=200)
        _chosen(studio, field("vae", "bake_in_vae", min_width=160), f"{TAB}_refresh_bake_in_vae")
    field("discard", "discard_weights")
    with gr.Accordion(label("page.merger.more"), open=False, elem_id=f"{TAB}_more"):
        field("blocks")
        field("loras")
    with gr.Accordion(label("page.merger.metadata"), open=False, elem_id=f"{TAB}_metadata_editor"):
        with gr.Row():
            for name in ("save_metadata", "add_recipe", "copy_metadata"):
                field(name, "add_merge_recipe" if name == "add_recipe" else name, min_width=140)
        metadata = field("metadata")
        read = gr.Button(label("page.merger.read_metadata"), elem_id=f"{TAB}_read_metadata")
    read.click(lambda *names: told(studio, lambda: metadata_of(studio, names)), models, metadata, **private())
    getattr(method, "change")(lambda chosen: _about(studio, chosen), method, about, **private())  # noqa: B009


def _about(studio: Studio, method: str) -> str:
    return i18n.say(ABOUT[method], language_now(studio)) if method in ABOUT else ""


def _chosen(studio: Studio, dropdown: Component, refresh_id: str) -> Component:
    """`dropdown` with a button beside it that reads the folders again."""
    refresh = tool_button("page.refresh", elem_id=refresh_id, icon="refresh")
    name = "vae" if "vae" in refresh_id else "checkpoints"
    refresh.click(lambda: gr.update(choices=words(studio.refresh(name))), None, dropdown, **private())
    return dropdown


def metadata_of(studio: Studio, names: tuple[Any, ...]) -> str:
    """The metadata of the chosen models as JSON; what A says first is overruled by B, then by C, as in A1111."""
    found: dict[str, Any] = {}
    for name in names:
        if name:
            found.update(studio.library.find(str(name)).metadata)
    return json.dumps(found, indent=4, ensure_ascii=False)


def _extraction(studio: Studio, fields: Fields, listing: Listing) -> gr.Button:
    with gr.Accordion(label("page.merger.extract"), open=False, elem_id="extract_lora"):
        with gr.Row():
            for name in ("tuned", "base"):
                param_field(
                    fields, ExtractRequest, name, listing, part="extract", elem_id=f"extract_lora_{name}", min_width=160
                )
        with gr.Row():
            for name in ("rank", "conv_rank"):
                param_field(fields, ExtractRequest, name, listing, part="extract", elem_id=f"extract_lora_{name}")
        for name in ("text_encoder", "custom_name", "number_format"):
            param_field(fields, ExtractRequest, name, listing, part="extract", elem_id=f"extract_lora_{name}")
        return gr.Button(label("page.merger.extract_now"), elem_id="extract_lora_run")


ToRequest = Callable[[Mapping[str, Any]], MergeRequest | ExtractRequest]


def _results(studio: Studio, fields: Fields, starts: Mapping[gr.Button, ToRequest]) -> None:
    """Where a job stands, and what became of it; the page's script follows it as it follows pictures."""
    with gr.Column(elem_id=f"{TAB}_results_panel"):
        frame(f'<div class="live" id="{TAB}_live" hidden></div>', elem_classes=["live-html"])
        stop = gr.Button(label("page.merger.stop"), elem_id=f"{TAB}_interrupt", elem_classes=["while-running"])
        said = gr.HTML("", elem_id=f"{TAB}_result")
        frame(f'<div class="runlog" id="html_log_{TAB}"></div>')
    job = gr.Textbox(visible="hidden", elem_id=f"{TAB}_job")
    outcome = gr.Textbox(visible="hidden", elem_id=f"{TAB}_outcome")
    fetch = gr.Button("", visible="hidden", elem_id=f"{TAB}_fetch")
    for button, to_request in starts.items():
        button.click(
            partial(_submit, Runs(studio, TAB, to_request), fields),
            fields.inputs,
            job,
            **private(trigger_mode="multiple"),
        ).success(fn=None, js=script("submitted", TAB), inputs=job, **private())
    stop.click(
        lambda job_id: told(studio, lambda: studio.jobs.cancel(job_id)) if job_id else None,
        job,
        js=script("currentJob", TAB),
        **private(),
    )
    fetch.click(partial(_outcome, studio), job, [said, outcome], js=script("fetchedJob", TAB), **private()).success(
        fn=None, js=script("showMerged", TAB), inputs=outcome, **private()
    )


def _submit(runs: Runs, fields: Fields, *values: Any) -> str:
    return runs.submit(fields.named(values))


def _outcome(studio: Studio, job_id: str) -> tuple[str, str]:
    """What the job says it did, and as JSON what the page's script shows beside it."""
    job = studio.jobs.get(job_id) if job_id else None
    if job is None or job.result is None:
        raise shown(studio, i18n.say("notice.no_result", language_now(studio)))
    result = job.result
    beside = {
        "id": job.id,
        "images": [],
        "notes": list(result.get("notes", [])),
        "interrupted": False,
        "seconds": result.get("seconds") or job.elapsed,
    }
    return f"<p>{escape(str(result.get('said', '')))}</p>", json.dumps(beside)
