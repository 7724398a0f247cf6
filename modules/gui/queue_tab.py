"""The Queue tab, and the events that bring what a job asked for back into the form it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.processing_utils import save_pil_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from modules.gui.extensions_part import restored_scripts
from modules.gui.form import Tab
from modules.gui.i18n import say
from modules.gui.needs import Studio
from modules.gui.restored import values_of
from modules.gui.run import language_now, shown, told
from modules.gui.widgets import frame, private, script
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest


def build() -> None:
    """The empty frame that static/queue.js fills when the tab is opened for the first time."""
    frame('<div id="queue" class="queue-root"></div>', elem_id="queue_frame")


def bind_duplicate(studio: Studio, tab: Tab) -> None:
    """A hidden button that fills `tab` with what a job asked for; the page's script names the job."""
    job = gr.Textbox(visible="hidden", elem_id=f"{tab.name}_duplicate_job")
    button = gr.Button("", visible="hidden", elem_id=f"{tab.name}_duplicate")
    filled = tab.draft.components

    def fill(job_id: str) -> list[Any]:
        found = duplicated(studio, tab.name, job_id)
        return [found.get(name, gr.skip()) for name in filled]

    restored = button.click(fill, job, list(filled.values()), js=script("duplicatedJob", tab.name), **private())
    if "mode" in filled:
        restored.success(fn=None, js=script("openMode"), inputs=filled["mode"], **private())


def duplicated(studio: Studio, tab: str, job_id: str) -> dict[str, Any]:
    """Values by name, of fields and canvases, with which `tab` asks for what job `job_id` asked for.

    Raises: gr.Error if the job is not known any more, or was not asked for by a form.
    """
    job = studio.jobs.get(job_id)
    if job is None:
        raise shown(studio, say("notice.no_job", language_now(studio)))
    asked = told(studio, lambda: job.request)
    if not isinstance(asked, (GenerationRequest, PictureBatch)):
        raise shown(studio, say("notice.no_form", language_now(studio)))
    request = asked.request if isinstance(asked, PictureBatch) else asked
    if not request.checkpoint:
        request = request.with_(checkpoint=_drawn_with(studio, job.brief))
        asked = asked.with_(request=request) if isinstance(asked, PictureBatch) else request
    return {**values_of(asked, studio.settings, _kept), **restored_scripts(studio, tab, request)}


def _drawn_with(studio: Studio, brief: Mapping[str, Any]) -> str | None:
    """The checkpoint that the settings named when the job ran; None if they name it now, or it is gone."""
    name = str(brief.get("model") or "")
    here = str(studio.settings["sd_model_checkpoint"] or "")
    titles = [title for title in studio.listing("checkpoints") if _name_in(title) == name]
    return titles[0] if name and titles and _name_in(here) != name else None


def _name_in(title: str) -> str:
    """ "folder/name" of "folder/name.safetensors [0123456789]"."""
    return title.partition(" [")[0].rpartition(".")[0]


def _kept(picture: Image.Image) -> dict[str, Any]:
    """The file of `picture` among the uploads, without loss."""
    path = save_pil_to_cache(picture, get_upload_folder(), format="png")
    return {"path": path, "orig_name": "picture.png", "meta": {"_type": "gradio.FileData"}}
