"""The right side of a generating tab: the gallery, what its pictures say, and where they can go from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from modules.gui import paste
from modules.gui.extensions_part import bind_paste
from modules.gui.form import Tab, changes
from modules.gui.i18n import label
from modules.gui.needs import Studio
from modules.gui.open_folder import bind_open_folder
from modules.gui.prompt_row import PromptRow
from modules.gui.run import Runs, language_now, told
from modules.gui.saving import save_from_gallery
from modules.gui.sentences import in_language
from modules.gui.tokens import counters_html
from modules.gui.widgets import Fields, frame, private, script, tool_button
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest

# Where a picture can go: the target -> its words and icon. A1111's element ids are "<tab>_send_to_<target>".
TARGETS = {
    "img2img": ("page.send_to_img2img", "picture"),
    "inpaint": ("page.send_to_inpaint", "brush"),
    "extras": ("page.send_to_extras", "expand"),
}


@dataclass(frozen=True)
class Results:
    """The components that events of the tab are bound to; `send` by target. `upscale`: only below txt2img."""

    gallery: gr.Gallery
    folder: gr.Button
    save: gr.Button
    save_zip: gr.Button
    delete: gr.Button
    downloads: gr.File
    send: Mapping[str, gr.Button]
    upscale: gr.Button | None = None


@dataclass(frozen=True)
class JobButtons:
    """What starts and stops the jobs of a tab."""

    generate: gr.Button
    interrupt: gr.Button
    skip: gr.Button
    cancel_waiting: gr.Button


def results_column(tab: str) -> Results:
    """Builds the column for `tab`."""
    with gr.Column(elem_id=f"{tab}_gallery_container", elem_classes=["gallery-frame"]):
        frame(f'<div class="live" id="{tab}_live" hidden></div>', elem_classes=["live-html"])
        gallery = gr.Gallery(
            elem_id=f"{tab}_gallery",
            elem_classes=["result-gallery"],
            label=label("page.gallery"),
            show_label=False,
            columns=4,
            preview=True,
            object_fit="contain",
            height=None,
            buttons=["download", "fullscreen"],
            interactive=False,
        )
        frame(f'<div class="empty-gallery" id="{tab}_empty"></div>')
    with gr.Row(elem_id=f"image_buttons_{tab}", elem_classes=["tools", "image-buttons"]):
        folder = tool_button("page.open_folder", elem_id=f"{tab}_open_folder", icon="folder")
        save = tool_button("page.save", elem_id=f"save_{tab}", icon="save")
        save_zip = tool_button("page.save_zip", elem_id=f"save_zip_{tab}", icon="zip")
        send = {
            target: tool_button(words, elem_id=f"{tab}_send_to_{target}", icon=icon)
            for target, (words, icon) in TARGETS.items()
        }
        delete = tool_button("page.delete", elem_id=f"{tab}_delete", icon="bin")
        upscale = tool_button("page.upscale", elem_id=f"{tab}_upscale", icon="sparkle") if tab == "txt2img" else None
    downloads = gr.File(
        visible=False, show_label=False, interactive=False, file_count="multiple", elem_id=f"download_files_{tab}"
    )
    frame(f'<div class="infotext" id="html_info_{tab}"></div>')
    frame(f'<div class="runlog" id="html_log_{tab}"></div>')
    return Results(gallery, folder, save, save_zip, delete, downloads, send, upscale)


def bind_generation(
    studio: Studio,
    tab: Tab,
    top: PromptRow,
    results: Results,
    request_of: Callable[[Mapping[str, Any]], GenerationRequest | PictureBatch],
    before: str | None = None,
    more: Fields | None = None,
) -> None:
    """The events that every generating tab has. `before`: the `js=` that readies the values when Generate is pressed.

    It gets and returns the values of all fields and pictures, and of `more`, which are no part of a draft.
    """
    fields = tab.fields
    asked = Fields({**tab.asked.components, **(more.components if more else {})})
    buttons = JobButtons(top.generate, top.interrupt, top.skip, top.cancel_waiting)
    bind_jobs(studio, tab.name, Runs(studio, tab.name, request_of), asked, buttons, results, before)
    _bind_prompts(studio, tab, top)
    differs = gr.Textbox(visible="hidden", elem_id=f"{tab.name}_differs")

    def pasted(*values: Any) -> list[Any]:
        new, notes = told(studio, lambda: paste.pasted(studio, fields.named(values)))
        differs = "\n".join(in_language(note, language_now(studio)) for note in notes)
        return only_changed(values, [*new.values(), differs])

    # First those of scripts: the event of the fields leaves the prompt alone of the text.
    bind_paste(studio, tab, top.paste)
    top.paste.click(
        pasted,
        fields.inputs,
        [*fields.inputs, differs],
        **private(),
    ).success(fn=None, js=script("tellNotes"), inputs=differs, **private())


def only_changed(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """`after` with a word that means "as it is" where a field keeps its value: the page spends its time on every other
    one, whether it changes or not. What is longer than `before` stays."""
    kept = [gr.skip() if new == old else new for old, new in zip(before, after, strict=False)]
    return [*kept, *after[len(kept) :]]


def bind_jobs(
    studio: Studio,
    name: str,
    runs: Runs,
    asked: Fields,
    buttons: JobButtons,
    results: Results,
    before: str | None = None,
) -> None:
    """The events from a press of Generate, which hands over the values of `asked`, to the pictures in the gallery."""
    job = gr.Textbox(visible="hidden", elem_id=f"{name}_job")
    outcome = gr.Textbox(visible="hidden", elem_id=f"{name}_outcome")
    fetch = gr.Button("", visible="hidden", elem_id=f"{name}_fetch")
    # "multiple": a second press while the first is on its way queues a second job.
    buttons.generate.click(
        lambda *values: runs.submit(asked.named(values)),
        asked.inputs,
        job,
        js=before,
        **private(trigger_mode="multiple"),
    ).success(fn=None, js=script("submitted", name), inputs=job, **private())
    buttons.interrupt.click(runs.interrupt, job, js=script("currentJob", name), **private(trigger_mode="multiple"))
    buttons.skip.click(runs.skip, job, js=script("currentJob", name), **private(trigger_mode="multiple"))
    buttons.cancel_waiting.click(runs.cancel, job, js=script("waitingJobs", name), **private())
    fetch.click(
        runs.result, job, [results.gallery, outcome], js=script("fetchedJob", name), **private(trigger_mode="multiple")
    ).success(fn=None, js=script("showResult", name), inputs=outcome, **private())
    _bind_saving(studio, name, results)
    results.delete.click(fn=None, js=script("deleteChosen", name), **private())
    bind_open_folder(studio, name, results.folder)


def _bind_prompts(studio: Studio, tab: Tab, top: PromptRow) -> None:
    boxes = [top.prompt, top.negative]
    top.apply_styles.click(
        lambda *texts: told(studio, lambda: paste.with_styles(studio, *texts)),
        [*boxes, top.styles],
        [*boxes, top.styles],
        **private(),
    )
    top.count_tokens.click(
        lambda prompt, negative, steps, chosen: counters_html(
            prompt, negative, steps, studio.settings, studio.styles, chosen or (), language_now(studio)
        ),
        [*boxes, tab.fields.components["steps"], top.styles],
        list(top.counters),
        **private(trigger_mode="always_last"),
    )
    gr.on(changes([*boxes, top.styles]), fn=None, js=script("countTokens", tab.name), **private())


def _bind_saving(studio: Studio, name: str, results: Results) -> None:
    """Save and zip: what the script says is shown and chosen is written to the save folder and offered to download."""
    chosen = gr.Textbox(visible="hidden", elem_id=f"{name}_chosen")
    message = gr.Textbox(visible="hidden", elem_id=f"{name}_saved")

    def save(choice: str, as_zip: bool) -> tuple[Any, str]:
        files, sentence = told(studio, lambda: save_from_gallery(studio, choice, as_zip=as_zip))
        return gr.File(value=[str(file) for file in files], visible=True), sentence

    for button, as_zip in ((results.save, False), (results.save_zip, True)):
        button.click(
            lambda choice, as_zip=as_zip: save(choice, as_zip),
            chosen,
            [results.downloads, message],
            js=script("chosenPicture", name),
            **private(),
        ).success(fn=None, js=script("tellSaved"), inputs=message, **private())
