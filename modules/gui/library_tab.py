"""The Library tab: every picture that was made. static/library.js draws it; here are the ways back into the forms."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from modules.gui import paste
from modules.gui.needs import Studio
from modules.gui.run import told
from modules.gui.send_to import CANVASES, EXTRAS
from modules.gui.widgets import Fields, frame, private, script

if TYPE_CHECKING:
    from modules.gui.form import Tab


def build(studio: Studio, txt2img: Tab, img2img: Tab, extras: Tab) -> None:
    """The empty frame that the script fills when the tab is first opened, and the events that its buttons press."""
    frame('<div id="library" class="library-root own-fields own-buttons"></div>', elem_id="library_frame")
    text = gr.Textbox("", visible="hidden", elem_id="library_infotext")

    def fill(fields: Fields, text: str, *values: Any) -> list[Any]:
        return told(studio, lambda: list(paste.filled(studio, text, fields.named(values)).values()))

    fields = txt2img.fields
    button = gr.Button("", visible="hidden", elem_id="library_send_to_txt2img")
    chosen = script("libraryText")
    button.click(partial(fill, fields), [text, *fields.inputs], fields.inputs, js=chosen, **private()).success(
        fn=None, js=script("openTxt2img"), **private()
    )
    place = extras.pictures.components[EXTRAS]
    button = gr.Button("", visible="hidden", elem_id="library_send_to_extras")
    button.click(fn=None, js=script("sendPicture", "library", EXTRAS), inputs=place, outputs=place, **private())
    fields = img2img.fields
    for target, canvas in CANVASES.items():
        place = img2img.pictures.components[canvas]
        button = gr.Button("", visible="hidden", elem_id=f"library_send_to_{target}")
        button.click(
            fn=None, js=script("sendPicture", "library", target), inputs=place, outputs=place, **private()
        ).success(partial(fill, fields), [text, *fields.inputs], fields.inputs, js=chosen, **private())
