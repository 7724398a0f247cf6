"""The txt2img tab: A1111's arrangement and element ids, events bound to the studio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.gui import paste
from modules.gui.i18n import label
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.prompt_row import PromptRow, prompt_row
from modules.gui.request import to_request
from modules.gui.run import Runs, told
from modules.gui.tokens import counters_html
from modules.gui.widgets import (
    Fields,
    Listing,
    frame,
    fresh_choices,
    param_field,
    private,
    script,
    switched_accordion,
    tool_button,
)
from modules.terms.request import GenerationRequest, Hires, Refiner

TAB = "txt2img"
SIZES = (
    "512 × 512",
    "512 × 768",
    "768 × 512",
    "768 × 768",
    "1024 × 1024",
    "832 × 1216",
    "1216 × 832",
    "896 × 1152",
    "1152 × 896",
)


@dataclass(frozen=True)
class Tab:
    """What the page needs to know of a tab once it is built: its fields and those whose choices may change."""

    fields: Fields
    paste_into: dict[str, Component]


def build(studio: Studio) -> Tab:
    """Builds the tab inside the surrounding Blocks."""
    fields = Fields()
    listing = listing_of(studio, hiding=True)
    top = prompt_row(TAB, fields, listing)
    with gr.Row(elem_id=f"{TAB}_body", elem_classes=["tab-body"]):
        with gr.Column(elem_id=f"{TAB}_settings", elem_classes=["settings-column"], scale=1, min_width=320):
            _settings(fields, listing)
        with gr.Column(elem_id=f"{TAB}_results", elem_classes=["results-column"], scale=1, min_width=320):
            gallery = _results()
    _bind(studio, fields, top, gallery)
    return Tab(fields=fields, paste_into=fields.components)


def _settings(fields: Fields, listing: Listing) -> None:
    own = GenerationRequest
    with gr.Row(elem_id=f"sampler_selection_{TAB}", elem_classes=["three"]):
        param_field(fields, own, "sampler", listing, elem_id=f"{TAB}_sampling", value=_first_sampler(listing))
        param_field(fields, own, "scheduler", listing, elem_id=f"{TAB}_scheduler")
        param_field(fields, own, "steps", listing, elem_id=f"{TAB}_steps")
    with gr.Row(elem_id=f"{TAB}_accordions", elem_classes=["accordions"]):
        _hires(fields, listing)
        _refiner(fields, listing)
    with gr.Row(elem_id=f"{TAB}_dimensions_row", elem_classes=["dimensions"]):
        with gr.Column(elem_id=f"{TAB}_column_size", elem_classes=["size-column"], scale=4, min_width=200):
            width = param_field(fields, own, "width", listing, elem_id=f"{TAB}_width")
            height = param_field(fields, own, "height", listing, elem_id=f"{TAB}_height")
        with gr.Column(elem_id=f"{TAB}_size_tools", elem_classes=["size-tools"], scale=0, min_width=44):
            swap = tool_button("page.swap_size", elem_id=f"{TAB}_res_switch_btn", icon="swap")
            presets = gr.Dropdown(
                list(SIZES),
                value=None,
                label=label("page.size_presets"),
                show_label=False,
                container=False,
                filterable=False,
                elem_id=f"{TAB}_size_presets",
                elem_classes=["preset-menu", "icon-sizes"],
                min_width=44,
            )
        with gr.Column(elem_id=f"{TAB}_column_batch", elem_classes=["batch-column"], scale=4, min_width=200):
            param_field(fields, own, "n_iter", listing, elem_id=f"{TAB}_batch_count")
            param_field(fields, own, "batch_size", listing, elem_id=f"{TAB}_batch_size")
    param_field(fields, own, "cfg_scale", listing, elem_id=f"{TAB}_cfg_scale")
    _seed(fields, listing)
    fields.add(
        paste.OVERRIDES,
        gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            allow_custom_value=True,
            label=label("page.override_settings"),
            info=label("page.override_settings.help"),
            elem_id=f"{TAB}_override_settings",
            elem_classes=["only-when-filled"],
        ),
    )
    size = [width, height]
    swap.click(fn=None, js=script("swapSize"), inputs=size, outputs=size, **private())
    presets.input(fn=None, js=script("pickSize"), inputs=presets, outputs=[*size, presets], **private())


def _first_sampler(listing: Listing) -> str:
    offered = listing("samplers")
    return "DPM++ 2M" if "DPM++ 2M" in offered or not offered else offered[0]


def _hires(fields: Fields, listing: Listing) -> None:
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
        with gr.Accordion(label("page.hires_more"), open=False, elem_id=f"{TAB}_hires_more", elem_classes=["quiet"]):
            with gr.Row(elem_id=f"{TAB}_hires_fix_row3", elem_classes=["three"]):
                for name, text, elem_id in (
                    ("checkpoint", "page.same_checkpoint", "hr_checkpoint"),
                    ("sampler", "page.same_sampler", "hr_sampler"),
                    ("scheduler", "page.same_scheduler", "hr_scheduler"),
                ):
                    param_field(fields, Hires, name, listing, part="hires", elem_id=elem_id, first=(label(text), ""))
            with gr.Row(elem_id=f"{TAB}_hires_fix_row4", elem_classes=["two"]):
                param_field(fields, Hires, "prompt", listing, part="hires", elem_id="hires_prompt")
                param_field(fields, Hires, "negative_prompt", listing, part="hires", elem_id="hires_neg_prompt")


def _refiner(fields: Fields, listing: Listing) -> None:
    with (
        switched_accordion(fields, "refiner", "page.refiner", elem_id=f"{TAB}_enable"),
        gr.Row(elem_id=f"{TAB}_refiner_row", elem_classes=["two"]),
    ):
        param_field(fields, Refiner, "checkpoint", listing, part="refiner", elem_id=f"{TAB}_checkpoint")
        param_field(fields, Refiner, "switch_at", listing, part="refiner", elem_id=f"{TAB}_switch_at")


def _seed(fields: Fields, listing: Listing) -> None:
    own = GenerationRequest
    with gr.Row(elem_id=f"{TAB}_seed_row", elem_classes=["seed-row"]):
        seed = param_field(fields, own, "seed", listing, elem_id=f"{TAB}_seed", min_width=120)
        dice = tool_button("page.random_seed", elem_id=f"{TAB}_random_seed", icon="dice")
        reuse = tool_button("page.reuse_seed", elem_id=f"{TAB}_reuse_seed", icon="reuse")
        extra = gr.Checkbox(
            False,
            label=label("page.seed_extra"),
            elem_id=f"{TAB}_subseed_show",
            elem_classes=["seed-extra"],
            scale=0,
            min_width=90,
        )
        fields.add("extra", extra)
    with gr.Column(visible=False, elem_id=f"{TAB}_seed_extras", elem_classes=["seed-extras"]) as extras:
        with gr.Row(elem_classes=["seed-row"]):
            subseed = param_field(fields, own, "subseed", listing, elem_id=f"{TAB}_subseed", min_width=120)
            subdice = tool_button("page.random_seed", elem_id=f"{TAB}_random_subseed", icon="dice")
            subreuse = tool_button("page.reuse_subseed", elem_id=f"{TAB}_reuse_subseed", icon="reuse")
            param_field(
                fields, own, "subseed_strength", listing, elem_id=f"{TAB}_subseed_strength", scale=3, min_width=100
            )
        with gr.Row(elem_classes=["two"]):
            param_field(fields, own, "seed_resize_from_w", listing, elem_id=f"{TAB}_seed_resize_from_w")
            param_field(fields, own, "seed_resize_from_h", listing, elem_id=f"{TAB}_seed_resize_from_h")
    extra.change(lambda on: gr.update(visible=bool(on)), extra, extras, **private())
    for button, handler, target in (
        (dice, "randomSeed", seed),
        (reuse, "reuseSeed", seed),
        (subdice, "randomSeed", subseed),
        (subreuse, "reuseSubseed", subseed),
    ):
        button.click(fn=None, js=script(handler), inputs=target, outputs=target, **private())


def _results() -> gr.Gallery:
    with gr.Column(elem_id=f"{TAB}_gallery_container", elem_classes=["gallery-frame"]):
        frame(f'<div class="live" id="{TAB}_live" hidden></div>', elem_classes=["live-html"])
        gallery = gr.Gallery(
            elem_id=f"{TAB}_gallery",
            label=label("page.gallery"),
            show_label=False,
            columns=4,
            preview=True,
            object_fit="contain",
            height=None,
            buttons=["download", "fullscreen"],
            interactive=False,
        )
        frame(f'<div class="empty-gallery" id="{TAB}_empty"></div>')
    frame(f'<div class="infotext" id="html_info_{TAB}"></div>')
    frame(f'<div class="runlog" id="html_log_{TAB}"></div>')
    return gallery


def _bind(studio: Studio, fields: Fields, top: PromptRow, gallery: gr.Gallery) -> None:
    def request_of(values: Any) -> GenerationRequest:
        return to_request(values, paste.overrides_of(values, studio.settings))

    runs = Runs(studio, TAB, request_of)
    job = gr.Textbox(visible="hidden", elem_id=f"{TAB}_job")
    outcome = gr.Textbox(visible="hidden", elem_id=f"{TAB}_outcome")
    fetch = gr.Button("", visible="hidden", elem_id=f"{TAB}_fetch")
    # "multiple": a second press while the first is on its way queues a second job.
    top.generate.click(
        lambda *values: runs.submit(fields.named(values)),
        fields.inputs,
        job,
        **private(trigger_mode="multiple"),
    ).success(fn=None, js=script("submitted"), inputs=job, **private())
    top.interrupt.click(runs.interrupt, job, js=script("currentJob"), **private(trigger_mode="multiple"))
    top.skip.click(runs.skip, job, js=script("currentJob"), **private(trigger_mode="multiple"))
    top.cancel_waiting.click(runs.cancel, job, js=script("waitingJobs"), **private())
    fetch.click(
        runs.result, job, [gallery, outcome], js=script("fetchedJob"), **private(trigger_mode="multiple")
    ).success(fn=None, js=script("showResult"), inputs=outcome, **private())

    boxes = [top.prompt, top.negative]
    top.apply_styles.click(
        lambda *texts: told(studio, lambda: paste.with_styles(studio, *texts)),
        [*boxes, top.styles],
        [*boxes, top.styles],
        **private(),
    )
    top.count_tokens.click(
        lambda prompt, negative, steps: counters_html(prompt, negative, steps, studio.settings),
        [*boxes, fields.components["steps"]],
        list(top.counters),
        **private(trigger_mode="always_last"),
    )
    top.paste.click(
        lambda *values: told(studio, lambda: paste.pasted(studio, fields.named(values))),
        fields.inputs,
        fields.inputs,
        **private(),
    )
    gr.on(_changes(boxes), fn=None, js=script("countTokens", TAB), **private())
    size = [fields.components[name] for name in ("width", "height", "hires.scale", "hires.resize_x", "hires.resize_y")]
    gr.on(_changes([*size, fields.components["hires"]]), fn=None, js=script("hiresSize", TAB), inputs=size, **private())
    # The draft never leaves the browser: no Python side.
    gr.on(
        _changes(fields.inputs),
        fn=None,
        js=script("saveDraft", TAB, list(fields.components)),
        inputs=fields.inputs,
        **private(),
    )


def refreshed(studio: Studio, fields: Fields) -> list[Any]:
    """Updates for the fields whose choices the studio knows, in their order."""
    return [gr.update(choices=choices) for choices in fresh_choices(fields, listing_of(studio, hiding=True)).values()]


def _changes(components: Sequence[Component]) -> list[Any]:
    """Their change events; every kind of field has one, though not their common class."""
    return [getattr(component, "change") for component in components]  # noqa: B009
