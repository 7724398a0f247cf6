"""The lists of the built-in scripts, shown in the reader's language; what is sent stays A1111's English."""

from __future__ import annotations

import gradio as gr

from modules.gui.arrangement import within
from modules.gui.i18n import script_choice

PLACES = ("txt2img_script_container", "img2img_script_container")


def put_into_words(demo: gr.Blocks) -> None:
    """Gives the choices of lists inside of PLACES their words, once the page is built; names of files stay."""
    for place in demo.blocks.values():
        if place.elem_id in PLACES:
            for block in within(place):
                if isinstance(block, gr.Dropdown):
                    block.choices = [(script_choice(str(shown)), value) for shown, value in block.choices]
