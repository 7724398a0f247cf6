"""The PNG Info tab: what a picture says about how it was made, and the way back into the form."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from modules.generation.foreign.texts import infotext_of
from modules.gui import i18n, paste
from modules.gui.i18n import label
from modules.gui.needs import Studio
from modules.gui.run import language_now, told
from modules.gui.send_to import CANVASES, EXTRAS
from modules.gui.sentences import in_language
from modules.gui.widgets import Fields, private, script
from modules.imaging.files import open_image
from modules.imaging.metadata import read_metadata

if TYPE_CHECKING:
    from modules.gui.form import Tab


def build(studio: Studio, txt2img: Tab, img2img: Tab, extras: Tab) -> None:
    """Builds the tab; its buttons fill the forms of the generating tabs, those of img2img with the picture as well, and
    take the picture to Extras."""
    with gr.Row(elem_classes=["tab-body"]):
        with gr.Column(elem_classes=["settings-column"], min_width=320):
            # image_mode None: the file as it was dropped, not an image drawn anew without its text.
            picture = gr.Image(
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard"],
                label=label("page.png_info.picture"),
                elem_id="pnginfo_image",
                height=420,
            )
        with gr.Column(elem_classes=["results-column"], min_width=320):
            infotext = gr.Textbox(
                lines=10,
                max_lines=30,
                label=label("page.png_info.text"),
                show_label=False,
                interactive=False,
                elem_id="pnginfo_infotext",
                elem_classes=["prompt"],
            )
            differs = gr.HTML("", elem_id="pnginfo_differs")
            with gr.Row():
                send = gr.Button(label("page.png_info.to_txt2img"), elem_id="pnginfo_send_to_txt2img", min_width=100)
                targets = {
                    "img2img": gr.Button(
                        label("page.png_info.to_img2img"), elem_id="pnginfo_send_to_img2img", min_width=100
                    ),
                    "inpaint": gr.Button(
                        label("page.png_info.to_inpaint"), elem_id="pnginfo_send_to_inpaint", min_width=100
                    ),
                }
                to_extras = gr.Button(label("page.png_info.to_extras"), elem_id="pnginfo_send_to_extras", min_width=100)

    def read(path: str | None) -> tuple[str, str]:
        """The text of the picture, and what of its models is missing here or not the same."""
        if not path:
            return "", ""
        text = infotext_of(read_metadata(told(studio, lambda: open_image(Path(path)))))
        if not text:
            return i18n.say("notice.no_infotext", language_now(studio)), ""
        notes = (in_language(note, language_now(studio)) for note in paste.read(studio, text)[1])
        return text, "".join(f'<p class="note">{escape(note)}</p>' for note in notes)

    def fill(fields: Fields, text: str, *values: Any) -> list[Any]:
        named = fields.named(values)
        if text == i18n.say("notice.no_infotext", language_now(studio)):
            return list(values)
        return told(studio, lambda: list(paste.filled(studio, text, named).values()))

    picture.change(read, picture, [infotext, differs], **private())
    fields = txt2img.fields
    send.click(partial(fill, fields), [infotext, *fields.inputs], fields.inputs, **private()).success(
        fn=None, js=script("openTxt2img"), **private()
    )
    place = extras.pictures.components[EXTRAS]
    to_extras.click(fn=None, js=script("sendPicture", "pnginfo", EXTRAS), inputs=place, outputs=place, **private())
    fields = img2img.fields
    for target, button in targets.items():
        place = img2img.pictures.components[CANVASES[target]]
        button.click(
            fn=None, js=script("sendPicture", "pnginfo", target), inputs=place, outputs=place, **private()
        ).success(partial(fill, fields), [infotext, *fields.inputs], fields.inputs, **private())
