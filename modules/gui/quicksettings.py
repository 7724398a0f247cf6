"""The row on top: the settings that are changed most, applied the moment they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.gui.i18n import setting_label
from modules.gui.needs import Studio
from modules.gui.run import told
from modules.gui.widgets import component_of, private, tool_button
from modules.terms.declare import Choice


@dataclass(frozen=True)
class QuickSetting:
    key: str
    component: Component
    control: Any


def build(studio: Studio) -> list[QuickSetting]:
    """Builds the row from the setting `quicksettings_list`; names that are no setting are left out."""
    keys = [key for key in studio.settings["quicksettings_list"] if key in studio.settings.catalogue]
    with gr.Row(elem_id="quicksettings"):
        row = [_setting(studio, key) for key in keys]
    for quick in row:
        _bind(studio, quick)
    return row


def _setting(studio: Studio, key: str) -> QuickSetting:
    setting = studio.settings.catalogue[key]
    control = setting.control
    listing = control.listing if isinstance(control, Choice) else ""
    with gr.Row(elem_classes=["quicksetting"]):
        component = component_of(
            control,
            studio.settings[key],
            text=setting_label(setting),
            elem_id=f"setting_{key}",
            choices=studio.listing(listing) if listing else (),
        )
        if listing:
            refresh = tool_button("page.refresh", elem_id=f"refresh_{key}", icon="refresh")
            refresh.click(lambda: gr.update(choices=studio.refresh(listing)), None, component, **private())
    return QuickSetting(key, component, control)


def _bind(studio: Studio, quick: QuickSetting) -> None:
    def apply(value: Any) -> Any:
        """What the setting is now; where it was refused, the page goes back to what it was."""
        if value != studio.settings[quick.key]:
            told(studio, lambda: studio.set_options({quick.key: value}))
        return studio.settings[quick.key]

    # As in A1111: text when it is left or entered, a slider when it is let go, everything else at once.
    names = {"Textbox": ("submit", "blur"), "Slider": ("release",), "Dropdown": ("input",)}
    for name in names.get(type(quick.component).__name__, ("input",)):
        getattr(quick.component, name)(apply, quick.component, quick.component, **private())


def refreshed(studio: Studio, row: list[QuickSetting]) -> list[Any]:
    """Updates that bring the row up to date."""
    return [
        gr.update(value=studio.settings[quick.key], choices=studio.listing(quick.control.listing))
        if isinstance(quick.control, Choice) and quick.control.listing
        else gr.update(value=studio.settings[quick.key])
        for quick in row
    ]
