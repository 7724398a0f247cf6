"""The Queue tab, and the events that bring what a job asked for back into the form it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from modules.gui import paste
from modules.gui.form import Tab
from modules.gui.i18n import say
from modules.gui.needs import Studio
from modules.gui.part_values import SKIP, values_of_details
from modules.gui.run import language_now, shown, told
from modules.gui.widgets import frame, private, script
from modules.settings.store import Settings
from modules.terms.declare import params_of
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

PARTS: Mapping[str, type] = {"hires": Hires, "refiner": Refiner, "source": Source, "mask": Mask}


def build() -> None:
    """The empty frame that static/queue.js fills when the tab is opened for the first time."""
    frame('<div id="queue" class="queue-root"></div>', elem_id="queue_frame")


def bind_duplicate(studio: Studio, tab: Tab) -> None:
    """A hidden button that fills the fields of `tab` with what a job asked for; the page's script names the job."""
    job = gr.Textbox(visible="hidden", elem_id=f"{tab.name}_duplicate_job")
    button = gr.Button("", visible="hidden", elem_id=f"{tab.name}_duplicate")
    fields = tab.fields
    button.click(
        lambda job_id, *values: list(duplicated(studio, job_id, fields.named(values)).values()),
        [job, *fields.inputs],
        fields.inputs,
        js=script("duplicatedJob", tab.name),
        **private(),
    )


def duplicated(studio: Studio, job_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` of a form with what job `job_id` asked for. Raises: gr.Error if it is not known any more."""
    job = studio.jobs.get(job_id)
    if job is None:
        raise shown(studio, say("notice.no_job", language_now(studio)))
    request = told(studio, lambda: job.request)
    if not isinstance(request, GenerationRequest):
        raise shown(studio, say("notice.no_form", language_now(studio)))
    return {**values, **values_of(request, values, studio.settings)}


def values_of(request: GenerationRequest, names: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Value of each of the fields `names` that `request` says something about."""
    found: dict[str, Any] = {}
    for name in names:
        part, _, field = name.rpartition(".")
        owner = PARTS.get(part, GenerationRequest if not part else None)
        held = getattr(request, part, None) if part else request
        if name in PARTS:
            found[name] = getattr(request, name) is not None
        elif owner is not None and held is not None and field in params_of(owner):
            value = getattr(held, field)
            if value is not None:
                found[name] = list(value) if isinstance(value, tuple) else value
    told = {**values_of_details(request.detail), SKIP: request.detail is not None and request.detail.skip_img2img}
    found |= {name: value for name, value in told.items() if name in names}
    if "extra" in names:
        found["extra"] = request.subseed_strength > 0 or request.seed_resize_from_w > 0
    if paste.OVERRIDES in names:
        found[paste.OVERRIDES] = list(_overrides(request, settings))
    return found


def _overrides(request: GenerationRequest, settings: Settings) -> list[str]:
    """`Key: value` of the request's settings, as far as a picture's text can name them."""
    named = {setting.key: key for key, setting in settings.catalogue.by_infotext().items()}
    lines = [f"{named[key]}: {value}" for key, value in request.settings.items() if key in named]
    if request.checkpoint and "sd_model_checkpoint" in named:
        lines.append(f"{named['sd_model_checkpoint']}: {request.checkpoint}")
    return lines
