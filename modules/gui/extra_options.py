"""Settings that stand in a generating tab because the user put them there: they hold for what that tab asks for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.context import Context

from modules.gui import paste
from modules.gui.described import plain
from modules.gui.form import Tab
from modules.gui.i18n import label, setting_label
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.widgets import component_of, private
from modules.settings.values import accepted
from modules.terms.declare import Choice

PREFIX = "option."


def extra_options(studio: Studio, tab: Tab) -> None:
    """Builds the fields of the setting `extra_options_<tab>`; they begin as the settings are, in no draft."""
    settings = studio.settings
    keys = [key for key in settings[f"extra_options_{tab.name}"] if key in settings.catalogue]
    columns = max(1, int(settings["extra_options_cols"]))
    if not keys:
        return
    around: AbstractContextManager[Any] = (
        gr.Accordion(label("page.extra_options"), open=False, elem_id=f"{tab.name}_extra_options_accordion")
        if settings["extra_options_accordion"]
        else nullcontext()
    )
    with around, gr.Column(elem_id=f"extra_options_{tab.name}"):
        for start in range(0, len(keys), columns):
            with gr.Row():
                for key in keys[start : start + columns]:
                    tab.scripts.add(f"{PREFIX}{key}", _field(studio, tab, key))
    page = Context.root_block
    if page is not None:
        # They are as old as the server: whoever opens the page sees what holds now.
        shown = [tab.scripts.components[f"{PREFIX}{key}"] for key in keys]
        page.load(lambda: [plain(studio.settings[key]) for key in keys], None, shown, **private())


def _field(studio: Studio, tab: Tab, key: str) -> Component:
    setting = studio.settings.catalogue[key]
    control = setting.control
    choices: list[str] = []
    if isinstance(control, Choice) and control.listing:
        # What is set may not be in the list any more, which a radio would refuse.
        control, choices = replace(control, radio=False), listing_of(studio)(control.listing)
    return component_of(
        control,
        plain(studio.settings[key]),
        text=setting_label(setting),
        elem_id=f"{tab.name}_extra_option_{key}",
        choices=choices,
    )


def overrides_in(studio: Studio, values: Mapping[str, Any]) -> dict[str, Any]:
    """Setting -> value for this request alone: of the fields above where they differ from how it is set, and of the
    override field, which goes first. Raises: BadRequest."""
    settings = studio.settings
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and value is not None and value != plain(settings[key]):
            found[key] = accepted(settings.catalogue[key], value)
    return {**found, **paste.overrides_of(values, settings)}
