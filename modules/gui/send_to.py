"""The buttons below a gallery that take the chosen picture to another place, with what made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.generation.infotext import parse, take_apart
from modules.gui import paste
from modules.gui.form import Tab
from modules.gui.needs import Studio
from modules.gui.run import told
from modules.gui.widgets import private, script

# Target -> the canvas of img2img that takes the picture.
CANVASES = {"img2img": "image", "inpaint": "inpaint"}
# The Extras tab as a target, and its canvas.
EXTRAS = "extras"


def bind(studio: Studio, source: Tab, img2img: Tab, extras: Tab) -> None:
    """The buttons of `source` that lead to img2img and to Extras. Within img2img only the picture moves: the fields are
    its own."""
    fields = img2img.fields
    place = extras.pictures.components[EXTRAS]
    source.send[EXTRAS].click(
        fn=None, js=script("sendPicture", source.name, EXTRAS), inputs=place, outputs=place, **private()
    )

    def fill(text: str, *values: Any) -> list[Any]:
        return told(studio, lambda: list(taken_over(studio, text, fields.named(values)).values()))

    for target, canvas in CANVASES.items():
        place = img2img.pictures.components[canvas]
        moved = source.send[target].click(
            fn=None, js=script("sendPicture", source.name, target), inputs=place, outputs=place, **private()
        )
        if source is not img2img:
            # The script puts the picture's text in the first place.
            moved.success(
                fill,
                [fields.components["prompt"], *fields.inputs],
                fields.inputs,
                js=script("sentText", source.name),
                **private(),
            )
            _send_to_scripts(studio, source, img2img, moved)


def _send_to_scripts(studio: Studio, source: Tab, target: Tab, moved: Any) -> None:
    """What scripts of extensions want to be sent along goes to their fields in the other tab."""
    if studio.host is None or "prompt" not in source.fields.components:
        return
    page = studio.host.page
    outputs = page.paste_outputs(target.name)
    if not outputs:
        return

    def fill(text: str) -> Any:
        updates = page.sent(source.name, target.name, text)
        return updates if len(updates) > 1 else updates[0]

    moved.success(fill, source.fields.components["prompt"], outputs, js=script("sentText", source.name), **private())


def taken_over(studio: Studio, text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` of a form with what `text`, the picture's, says of prompts and steps; of seed and size if so set.

    A picture that does not say how it was drawn changes nothing.
    """
    if "Steps" not in take_apart(text).entries:
        return dict(values)
    parsed = parse(text, settings=studio.settings, styles=studio.styles)
    said = paste.to_values(parsed, studio.listing("samplers"), studio.listing("schedulers"))
    names = {"prompt", "negative_prompt", "styles", "steps"}
    if studio.settings["send_seed"]:
        names.add("seed")
    if studio.settings["send_size"]:
        names |= {"width", "height"}
    return {name: said.get(name, old) if name in names else old for name, old in values.items()}
