"""The top of a generating tab: prompts on the left; Generate, its neighbours and the styles on the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import gradio as gr
from gradio.components import Component

from modules.gui.i18n import label
from modules.gui.widgets import Fields, Listing, frame, param_field, private, script, tool_button
from modules.terms.request import GenerationRequest

# What puts a picture into words: model -> its button's words, A1111's element id, and icon.
DESCRIBERS = {
    "CLIP": ("page.interrogate", "interrogate", "words"),
    "Deepbooru": ("page.deepbooru", "deepbooru", "tags"),
}


@dataclass(frozen=True)
class PromptRow:
    """What a tab binds its events to. `describe`: by model; only where there is a picture to describe."""

    prompt: Component
    negative: Component
    generate: gr.Button
    interrupt: gr.Button
    skip: gr.Button
    cancel_waiting: gr.Button
    paste: gr.Button
    apply_styles: gr.Button
    styles: Component
    counters: tuple[gr.HTML, gr.HTML]
    count_tokens: gr.Button
    describe: Mapping[str, gr.Button] = field(default_factory=dict)


def prompt_row(tab: str, fields: Fields, listing: Listing) -> PromptRow:
    """Builds the row for `tab` ("txt2img") with A1111's element ids."""
    with gr.Row(elem_id=f"{tab}_toprow", elem_classes=["toprow"]):
        with gr.Column(elem_id=f"{tab}_prompt_container", elem_classes=["prompts"], scale=6, min_width=280):
            prompt, counter = _prompt(tab, "prompt", "txt2img.prompt.hint", fields, listing)
            negative, negative_counter = _prompt(tab, "negative_prompt", "txt2img.negative.hint", fields, listing)
        with gr.Column(elem_id=f"{tab}_actions_column", elem_classes=["actions"], scale=2, min_width=260):
            with gr.Row(elem_id=f"{tab}_generate_box", elem_classes=["generate-box"]):
                generate = gr.Button(label("page.generate"), variant="primary", elem_id=f"{tab}_generate")
                interrupt = gr.Button(
                    label("page.interrupt"), elem_id=f"{tab}_interrupt", elem_classes=["while-running"]
                )
                skip = gr.Button(label("page.skip"), elem_id=f"{tab}_skip", elem_classes=["while-running"])
            frame(f'<div class="queue-line" id="{tab}_queue" role="status"></div>')
            cancel_waiting = gr.Button("", elem_id=f"{tab}_cancel_waiting", visible="hidden")
            with gr.Row(elem_id=f"{tab}_tools", elem_classes=["tools"]):
                # A1111 calls it just "paste" in txt2img; scripts look for that.
                paste = tool_button("page.paste", elem_id="paste" if tab == "txt2img" else f"{tab}_paste", icon="paste")
                clear = tool_button("page.clear_prompts", elem_id=f"{tab}_clear_prompt", icon="clear")
                apply_styles = tool_button("page.apply_styles", elem_id=f"{tab}_style_apply", icon="apply")
                describe = (
                    {
                        model: tool_button(words, elem_id=elem_id, icon=icon)
                        for model, (words, elem_id, icon) in DESCRIBERS.items()
                    }
                    if tab == "img2img"
                    else {}
                )
            with gr.Row(elem_id=f"{tab}_styles_row", elem_classes=["styles-row"]):
                styles = param_field(
                    fields, GenerationRequest, "styles", listing, elem_id=f"{tab}_styles", show_label=True, scale=1
                )
                edit_styles = tool_button("page.edit_styles", elem_id=f"{tab}_styles_edit_button", icon="brush")
            count_tokens = gr.Button("", elem_id=f"{tab}_token_button", visible="hidden")
    edit_styles.click(fn=None, js=script("editStyles", tab), **private())
    clear.click(fn=None, js=script("clearPrompts", tab), outputs=[prompt, negative], **private())
    return PromptRow(
        prompt=prompt,
        negative=negative,
        generate=generate,
        interrupt=interrupt,
        skip=skip,
        cancel_waiting=cancel_waiting,
        paste=paste,
        apply_styles=apply_styles,
        styles=styles,
        counters=(counter, negative_counter),
        count_tokens=count_tokens,
        describe=describe,
    )


def _prompt(tab: str, name: str, hint: str, fields: Fields, listing: Listing) -> tuple[Component, gr.HTML]:
    short = "neg_prompt" if name == "negative_prompt" else name
    with gr.Column(elem_id=f"{tab}_{short}_row", elem_classes=["prompt-row"]):
        counter = frame(
            '<span class="token-counter"></span>',
            elem_id=f"{tab}_token_counter" if name == "prompt" else f"{tab}_negative_token_counter",
            elem_classes=["token-counter-box"],
        )
        box = param_field(
            fields,
            GenerationRequest,
            name,
            listing,
            elem_id=f"{tab}_{short}",
            elem_classes=["prompt"],
            placeholder=label(f"page.{hint}"),
        )
    return box, counter
