"""The events around a job: Generate submits, the page's script follows the job by its id, the result is fetched.

The work runs in the studio's worker, never in a Gradio event: a reload of the page, a closed tab or a second device
change nothing for it (spec: a generator event is stopped by a reload and its result lost).
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.context import LocalContext

from modules.gui import i18n
from modules.gui.needs import Studio
from modules.gui.pictures import serve_in_place
from modules.gui.sentences import in_language
from modules.terms.errors import WebuiError
from modules.terms.extras import ExtrasRequest
from modules.terms.merging import ExtractRequest, MergeRequest
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest

T = TypeVar("T")


def language_now(studio: Studio) -> str:
    """The language of the browser whose event is being handled."""
    request = LocalContext.request.get(None)
    accept = request.headers.get("accept-language", "") if request is not None else ""
    return i18n.choose(str(studio.settings["language"]), accept)


def told(studio: Studio, work: Callable[[], T]) -> T:
    """What `work` returns. An error of ours becomes a message on the page; nothing that was typed changes."""
    try:
        return work()
    except WebuiError as error:
        raise shown(studio, str(error)) from error


def shown(studio: Studio, sentence: str) -> gr.Error:
    """The error that makes Gradio show `sentence`, which may quote what people typed, as text."""
    language = language_now(studio)
    title, sentence = i18n.say("notice.failed", language), in_language(sentence, language)
    # static/errors.js shows it as text; Gradio's own message, should it appear, would take it for HTML.
    return gr.Error(html.escape(sentence), title=title, print_exception=False)


def asking() -> str:
    """Whose turn in the queue a job takes: the name logged in with, else the address; "" outside of an event."""
    request = LocalContext.request.get(None)
    if request is None or request.request is None:
        return ""
    user = request.request.scope.get("atelier_user")
    return str(user or (request.client.host if request.client else ""))


class Runs:
    """The events of one tab."""

    def __init__(
        self,
        studio: Studio,
        kind: str,
        to_request: Callable[
            [Mapping[str, Any]], GenerationRequest | ExtrasRequest | PictureBatch | MergeRequest | ExtractRequest
        ],
    ) -> None:
        self._studio = studio
        self._kind = kind
        self._to_request = to_request

    def submit(self, values: Mapping[str, Any]) -> str:
        """The id of the job that now waits. Raises: gr.Error with the sentence for the person."""
        who = asking()
        return told(
            self._studio,
            lambda: str(self._studio.submit(self._to_request(values), kind=self._kind, client=who).id),
        )

    def interrupt(self, job_id: str) -> None:
        """The job ends after its step and keeps the picture; one that still waits is taken out of the queue.

        With `interrupt_after_current` the first press lets the batch that runs be finished, if more were to follow.
        """
        job = self._studio.jobs.get(job_id) if job_id else None
        if job is None:
            return
        jobs, more = self._studio.jobs, job.state == "running" and job.brief.get("batches", 1) > 1
        softly = self._studio.settings["interrupt_after_current"] and more and job.stopping is None
        told(self._studio, lambda: jobs.finish_batch(job.id) if softly else jobs.interrupt(job.id))

    def skip(self, job_id: str) -> None:
        """The batch that runs ends after its step, the next one begins."""
        if job_id:
            told(self._studio, lambda: self._studio.jobs.skip(job_id))

    def cancel(self, job_ids: str) -> None:
        """Takes jobs, named in a JSON list, out of the queue."""

        def cancel_all() -> None:
            for job_id in json.loads(job_ids or "[]"):
                self._studio.jobs.cancel(str(job_id))

        told(self._studio, cancel_all)

    def result(self, job_id: str) -> tuple[Any, str]:
        """What the gallery shows and, as JSON, what the page's script needs beside it.

        Pictures are handed over as files, so what a browser saves is the file itself with its text inside.
        """
        job = self._studio.jobs.get(job_id) if job_id else None
        if job is None or job.result is None:
            raise shown(self._studio, i18n.say("notice.no_result", language_now(self._studio)))
        numbered = [{**image, "number": number} for number, image in enumerate(job.result.get("images", []))]
        images = self._chosen(numbered)
        there = [image for image in images if Path(image["path"]).is_file()]
        notes = list(job.result.get("notes", []))
        language, gone = language_now(self._studio), len(images) - len(there)
        told_to_script = {
            "id": job.id,
            "images": [
                {key: image.get(key) for key in ("infotext", "seed", "subseed", "kind", "width", "height", "number")}
                for image in there
            ],
            "notes": [in_language(str(note), language) for note in notes],
            "gone": i18n.say("notice.files_gone", language, count=gone) if gone else "",
            "interrupted": bool(job.result.get("interrupted")),
            "seconds": job.result.get("seconds") or job.elapsed,
            "memory": job.result.get("memory") or {},
        }
        pictures = [image["path"] for image in there]
        # Folders chosen since the start, and the job's own where pictures are not to be saved.
        serve_in_place(Path(picture).parent for picture in pictures)
        return gr.Gallery(value=pictures, selected_index=0 if pictures else None), json.dumps(told_to_script)

    def _chosen(self, images: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those that the settings want in the gallery."""
        settings = self._studio.settings
        if settings["do_not_show_images"]:
            return []
        return [image for image in images if image.get("kind") != "grid" or settings["return_grid"]]
