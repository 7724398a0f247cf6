"""What the page begins with. The components are as old as the server; whoever opens the page gets today's choices and
settings, inside the description of the page that Gradio sends anyway: no event, no moment with the old ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.gui import form, quicksettings
from modules.gui.needs import Studio
from modules.gui.widgets import private, script


class Opening:
    """The fields whose choices the studio knows. `bind` while the page is built, `renew` before it is sent."""

    def __init__(self, studio: Studio, quick: Sequence[quicksettings.QuickSetting], tabs: Sequence[form.Tab]) -> None:
        self._studio, self._quick, self._tabs = studio, list(quick), tabs
        listed = [tab.fields.components[name] for tab in tabs for name in tab.fields.listed]
        self._outputs: list[Component] = [*(one.component for one in self._quick), *listed]

    def bind(self, demo: gr.Blocks) -> None:
        """The events of opening: drafts come in, and a script can ask for the choices again."""
        if self._outputs:
            again = gr.Button("", visible="hidden", elem_id="refresh_choices")
            again.click(self._today, None, self._outputs, **private())
        fields = {
            tab.name: {name: component._id for name, component in tab.draft.components.items()} for tab in self._tabs
        }
        demo.load(fn=None, js=script("openDrafts", fields), **private())
        for tab in self._tabs:
            _bind_draft(tab)
        chosen = [one.component for one in self._quick if one.key == "sd_model_checkpoint"]
        if chosen:
            gr.on(form.changes(chosen), fn=None, js=script("checkpointChanged"), **private())

    def renew(self, demo: gr.Blocks) -> None:
        """Brings the mounted page's description up to date."""
        described = {one["id"]: one["props"] for one in demo.config["components"]}
        for component, update in zip(self._outputs, self._today(), strict=True):
            for name in ("choices", "value"):
                if name in update:
                    now = [_pair(one) for one in update[name]] if name == "choices" else update[name]
                    setattr(component, name, now)
                    described[component._id][name] = now

    def _today(self) -> list[Any]:
        fresh = [update for tab in self._tabs for update in form.refreshed(self._studio, tab.fields)]
        return [*quicksettings.refreshed(self._studio, self._quick), *fresh]


def _pair(choice: Any) -> tuple[Any, Any]:
    """What a choice shows and what it stands for."""
    return choice if isinstance(choice, tuple) else (choice, choice)


def _bind_draft(tab: form.Tab) -> None:
    """Hidden buttons by which static/drafts.js asks for all values of the tab and fills some of its fields."""
    names, components = list(tab.draft.components), tab.draft.inputs
    note = gr.Button("", visible="hidden", elem_id=f"{tab.name}_note_draft")
    note.click(fn=None, js=script("saveDraft", tab.name, names), inputs=components, **private())
    take = gr.Button("", visible="hidden", elem_id=f"{tab.name}_take_values")
    take.click(fn=None, js=script("takeValues", tab.name, names), outputs=components, **private())
