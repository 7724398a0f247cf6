"""The button below the txt2img gallery that runs Hires. fix over the chosen picture, as its first pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from modules.generation.infotext import parse
from modules.gui import i18n, paste
from modules.gui.form import Tab
from modules.gui.needs import Studio
from modules.gui.request import to_request
from modules.gui.run import Runs, language_now
from modules.gui.saving import in_gallery
from modules.gui.widgets import private, script
from modules.imaging.files import open_image
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest

CHOICE = "chosen"
SMALLEST = 64


def bind_upscale(studio: Studio, tab: Tab, button: gr.Button) -> None:
    """The events of `button`: a job like any other, which the page follows."""
    fields = tab.fields
    choice = gr.Textbox(visible="hidden", elem_id=f"{tab.name}_upscale_chosen")
    job = gr.Textbox(visible="hidden", elem_id=f"{tab.name}_upscale_job")
    runs = Runs(studio, tab.name, lambda values: upscale_request(studio, values))
    button.click(
        lambda chosen, *values: runs.submit({**fields.named(values), CHOICE: chosen}),
        [choice, *fields.inputs],
        job,
        js=script("chosenAnd", tab.name),
        **private(trigger_mode="multiple"),
    ).success(fn=None, js=script("submitted", tab.name), inputs=job, **private())


def upscale_request(studio: Studio, values: Mapping[str, Any]) -> GenerationRequest:
    """The form's hires pass over the chosen picture, with the picture's own seeds. One picture, whatever the form says.

    Raises: BadRequest if none is chosen, or if it is a grid.
    """
    _, shown, index = in_gallery(studio, str(values.get(CHOICE) or ""))
    image = shown[index] if 0 <= index < len(shown) else None
    if image is None or image.get("kind") == "grid" or not Path(image["path"]).is_file():
        raise BadRequest(i18n.say("notice.nothing_to_upscale", language_now(studio)))
    picture = open_image(Path(image["path"])).convert("RGB")
    request = to_request({**values, "hires": True}, paste.overrides_of(values, studio.settings))
    if request.hires is None:
        raise BadRequest(i18n.say("notice.nothing_to_upscale", language_now(studio)))
    parsed = parse(str(image.get("infotext") or ""), settings=studio.settings)
    seeds = {
        name: int(float(parsed[key]))
        for name, key in (("seed", "Seed"), ("subseed", "Variation seed"))
        if str(parsed.get(key, "")).lstrip("-").isdecimal()
    }
    request = request.with_(
        hires=replace(request.hires, picture=picture),
        width=max(SMALLEST, picture.width),
        height=max(SMALLEST, picture.height),
        batch_size=1,
        n_iter=1,
        **seeds,
    )
    request.check()
    return request
