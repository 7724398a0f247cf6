"""Pictures are shown from where they were saved: the file that a browser downloads is the file itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import gradio as gr
from gradio.data_classes import _StaticFiles


def serve_in_place(folders: Iterable[Path]) -> None:
    """Lets Gradio serve what lies in `folders`; otherwise it copies every picture that it shows."""
    # gr.set_static_paths adds to a list without looking whether it is there.
    new = [folder for folder in folders if folder.resolve() not in _StaticFiles.all_paths]
    if new:
        gr.set_static_paths(list(new))
