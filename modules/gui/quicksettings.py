"""The row on top: the settings that are changed most, applied the moment they change."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.gui.described import plain
from modules.gui.i18n import setting_label
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.run import told
from modules.gui.widgets import component_of, private, script, tool_button, words
from modules.terms.declare import Choice, Control
from modules.terms.errors import NotFound


@dataclass(frozen=True)
class QuickSetting:
    key: str
    component: Component
    control: Control


def build(studio: Studio) -> list[QuickSetting]:
    """Builds the row from the setting `quicksettings_list`; names that are no setting are left out."""
    keys = [key for key in studio.settings["quicksettings_list"] if key in studio.settings.catalogue]
    with gr.Row(elem_id="quicksettings"):
        row = [_setting(studio, key) for key in keys]
        presets = tool_button("page.presets", elem_id="open_presets", icon="presets")
    presets.click(fn=None, js=script("openPresets"), **private())
    for quick in row:
        _bind(studio, quick)
    return row


def _setting(studio: Studio, key: str) -> QuickSetting:
    setting = studio.settings.catalogue[key]
    control = setting.control
    name = control.listing if isinstance(control, Choice) else ""
    with gr.Row(elem_classes=["quicksetting"]):
        component = component_of(
            control,
            _shown(studio, key, control),
            text=setting_label(setting),
            elem_id=f"setting_{key}",
            choices=offered(studio, name) if name else (),
        )
        if name:
            refresh = tool_button("page.refresh", elem_id=f"refresh_{key}", icon="refresh")
            refresh.click(lambda: _refreshed(studio, key, name), None, component, **private())
    return QuickSetting(key, component, control)


def offered(studio: Studio, name: str) -> list[Any]:
    """The choices of a list; of checkpoints without their folders, if the settings say so."""
    entries = listing_of(studio)(name)
    if name != "checkpoints" or not studio.settings["sd_checkpoint_dropdown_use_short"]:
        return list(entries)
    return [(entry.replace("\\", "/").rpartition("/")[2], entry) for entry in entries]


def _shown(studio: Studio, key: str, control: Control) -> Any:
    """The value of the setting; where no checkpoint is chosen yet, the first, since that is the one that is used."""
    value = studio.settings[key]
    if value or key != "sd_model_checkpoint" or not isinstance(control, Choice):
        return plain(value)
    return next(iter(studio.listing(control.listing)), None)


def _refreshed(studio: Studio, key: str, name: str) -> Any:
    studio.refresh(name)
    return _update(studio, key, studio.settings.catalogue[key].control)


def _update(studio: Studio, key: str, control: Control) -> Any:
    """Brings the field of the setting up to date."""
    value = _shown(studio, key, control)
    if isinstance(control, Choice) and control.listing:
        return gr.update(value=value, choices=words(offered(studio, control.listing)))
    return gr.update(value=value)


def _bind(studio: Studio, quick: QuickSetting) -> None:
    def apply(value: Any) -> Any:
        """What the setting is now; where it was refused, the page goes back to what it was."""
        if value != plain(studio.settings[quick.key]):
            told(studio, lambda: _apply(studio, quick, value))
        return _shown(studio, quick.key, quick.control)

    # As in A1111: text when it is left or entered, a slider when it is let go, everything else at once.
    events = {"Textbox": ("submit", "blur"), "Slider": ("release",)}
    for event in events.get(type(quick.component).__name__, ("input",)):
        getattr(quick.component, event)(apply, quick.component, quick.component, **private())


def _apply(studio: Studio, quick: QuickSetting, value: Any) -> None:
    """Raises: NotFound for a checkpoint that is not in the list, such as a name that was typed in part."""
    if quick.key == "sd_model_checkpoint" and isinstance(quick.control, Choice):
        known = studio.listing(quick.control.listing)
        # A file that was just found has no hash in the list yet; the page may still show it without.
        if value and _named(value) not in map(_named, known):
            near = difflib.get_close_matches(str(value), known, 1, 0.0)
            if not near:
                raise NotFound("There is no checkpoint in the list: put one into its folder and refresh the list.")
            raise NotFound(
                f"No checkpoint is called {value!r}: choose one of the list, or refresh it. The nearest is {near[0]}."
            )
    studio.set_options({quick.key: value})


def _named(title: object) -> str:
    """The name in the title of a checkpoint, "name [hash]"."""
    return str(title).partition(" [")[0]


def refreshed(studio: Studio, row: list[QuickSetting]) -> list[Any]:
    """Updates that bring the row up to date."""
    return [_update(studio, quick.key, quick.control) for quick in row]
