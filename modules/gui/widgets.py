"""Components from declared knobs, and the small pieces that every tab uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.i18n import I18nData

from modules.gui.i18n import FALLBACK, label, param_key, texts
from modules.terms.declare import Checkbox, Choice, Colour, Control, Number, Param, Slider, Text, params_of

Listing = Callable[[str], list[str]]


@dataclass
class Fields:
    """The components of one tab by name, in the order in which events hand their values over.

    Names are the request's: "steps", "hires.scale", "refiner.switch_at"; "hires" alone is the switch of the part.
    `listed` are those whose choices the studio knows: they are brought up to date whenever the page is opened.
    """

    components: dict[str, Component] = field(default_factory=dict)
    listed: dict[str, Choice] = field(default_factory=dict)

    def add(self, name: str, component: Component) -> Component:
        """`component`, now known as `name`."""
        self.components[name] = component
        return component

    def named(self, values: Iterable[Any]) -> dict[str, Any]:
        """Name -> value, for the values that an event got from `inputs`."""
        return dict(zip(self.components, values, strict=True))

    @property
    def inputs(self) -> list[Component]:
        return list(self.components.values())


def component_of(
    control: Control, value: Any, *, text: str | I18nData, elem_id: str, choices: Iterable[Any] = (), **options: Any
) -> Component:
    """The component that shows `control`. `choices` are those of a list that only the studio knows."""
    common = {"label": text, "elem_id": elem_id, "value": value, **options}
    if isinstance(control, Slider):
        slider = gr.Slider(control.minimum, control.maximum, step=control.step, buttons=[], **common)
        # Its ends are how far the hand reaches. A pasted size may lie beyond: the request knows its own limits.
        slider.preprocess = lambda payload: payload  # type: ignore[method-assign]
        return slider
    if isinstance(control, Number):
        return gr.Number(
            minimum=control.minimum, maximum=control.maximum, precision=0 if control.integer else None, **common
        )
    if isinstance(control, Checkbox):
        return gr.Checkbox(**common)
    if isinstance(control, Colour):
        return gr.ColorPicker(**common)
    if isinstance(control, Choice):
        offered = words(control.choices or choices)
        if control.radio and not control.many:
            return gr.Radio(offered, **common)
        # A list of the studio's may change while the page is open, and a pasted name may not be installed:
        # the engine answers an unknown one with the nearest, the page keeps what was asked.
        return gr.Dropdown(
            offered, multiselect=control.many or None, allow_custom_value=bool(control.listing), **common
        )
    lines = control.lines if isinstance(control, Text) else 1
    return gr.Textbox(lines=lines, max_lines=max(lines, 20), **common)


def words(choices: Iterable[Any]) -> list[Any]:
    """What a component takes as its choices."""
    return [*map(word, choices)]


def word(choice: Any) -> Any:
    """A choice as a component takes it: what is shown, in the reader's language, and the value; names stay names."""
    return (label(f"choice.{choice}"), choice) if f"choice.{choice}" in texts(FALLBACK) else choice


def param_field(
    fields: Fields,
    owner: type,
    name: str,
    listing: Listing,
    *,
    elem_id: str,
    part: str = "",
    value: Any = None,
    first: tuple[str | I18nData, Any] | None = None,
    radio: bool = False,
    **options: Any,
) -> Component:
    """The component of field `name` of `owner`, added to `fields` as `part.name`.

    `value` None means the declared default; `first` is a choice that stands before those of the studio; `radio`: all
    choices are seen at once.
    """
    param: Param = params_of(owner)[name]
    control = param.control
    if isinstance(control, Choice) and radio:
        control = replace(control, radio=True)
    choices: list[Any] = []
    full_name = f"{part}.{name}" if part else name
    if isinstance(control, Choice) and control.listing:
        choices = [*([first] if first else []), *listing(control.listing)]
        if not first:
            fields.listed[full_name] = control
    if value is None:
        value = list(param.default) if isinstance(param.default, tuple) else param.default
    component = component_of(
        control, value, text=label(param_key(owner, name)), elem_id=elem_id, choices=choices, **options
    )
    return fields.add(full_name, component)


def tool_button(name: str, *, elem_id: str, icon: str, **options: Any) -> gr.Button:
    """A small square button with an icon of static/icons.css; its words are read out and shown as a hint."""
    return gr.Button(
        label(name), elem_id=elem_id, elem_classes=["tool", f"icon-{icon}"], min_width=0, scale=0, size="sm", **options
    )


def frame(content: str, **options: Any) -> gr.HTML:
    """A place for the page's scripts: plain HTML without Gradio's padding and prose style."""
    return gr.HTML(content, padding=False, apply_default_css=False, **options)


def unit_panel(tab: str, fields: Fields, name: str, *, elem_id: str) -> None:
    """The frame of a panel of units, which static/panels.js fills when it is first seen; its value is field `name`."""
    panel = gr.HTML(
        value=None,
        html_template="<div class='unit-panel own-fields'></div>",
        js_on_load="window.atelier.openPanel({element, props, watch})",
        elem_id=elem_id,
        elem_classes=["canvas-block"],
        apply_default_css=False,
        padding=False,
        tab=tab,
        field=name,
    )
    fields.add(name, panel)


@contextmanager
def switched_accordion(
    fields: Fields, name: str, text: str, *, elem_id: str, on: bool = False
) -> Iterator[gr.Accordion]:
    """An accordion that is its own checkbox, as in A1111: open means the part `name` is on."""
    switch = gr.Checkbox(on, elem_id=f"{elem_id}-checkbox", visible="hidden", label=label(text))
    fields.add(name, switch)
    with gr.Accordion(label(text), open=on, elem_id=elem_id, elem_classes=["switched"]) as accordion:
        yield accordion
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    accordion.expand(fn=None, js="() => true", outputs=switch, **quiet)
    accordion.collapse(fn=None, js="() => false", outputs=switch, **quiet)
    # Pasted values and drafts set the switch: the accordion follows.
    switch.change(lambda on: gr.update(open=bool(on)), switch, accordion, **quiet)


def private(**options: Any) -> dict[str, Any]:
    """What every event of the page has: no queue in front of it, no spinner over it, no entry in Gradio's API."""
    return {"queue": False, "show_progress": "hidden", "api_visibility": "private", **options}


def script(name: str, *first: object) -> str:
    """The `js=` of an event: the handler `name` of static/main.js, given `first` and then the event's values."""
    return f"(...values) => window.atelier.handle({json.dumps(name)}, [...{json.dumps(first)}, ...values])"


def fresh_choices(fields: Fields, listing: Listing) -> Mapping[str, list[Any]]:
    """Name of a field -> what the studio offers for it now, as a component takes it."""
    return {name: words(listing(control.listing)) for name, control in fields.listed.items()}
