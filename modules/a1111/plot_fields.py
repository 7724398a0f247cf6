"""The fields of a plot's axes: what kind each is, and its values as text or chosen from a menu."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modules.generation.axis_values import as_list, listed
from modules.terms.errors import BadRequest
from modules.terms.registry import nearest

NOTHING = "Nothing"
DEFAULTS = (("x", "Seed"), ("y", NOTHING), ("z", NOTHING))
QUIET: Mapping[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
Row = tuple[Any, Any, Any, Any]
"""Type, text, menu, fill button."""


class AxisFields:
    """Three rows of fields. options: the axes that may be chosen, asked for anew each time, since extensions add to
    them; each has a `label`, and `choices` if there is a menu."""

    def __init__(self, options: Callable[[], Sequence[Any]], elem_id: Callable[[str], str]) -> None:
        self.options, self._elem_id = options, elem_id
        self.rows: list[Row] = []

    def build(self) -> None:
        """Makes the rows, here."""
        import gradio as gr

        labels = [one.label for one in self.options()]
        for letter, default in DEFAULTS:
            name = letter.upper()
            with gr.Row():
                kind = gr.Dropdown(
                    labels, value=default, label=f"{name} type", type="index", elem_id=self._elem_id(f"{letter}_type")
                )
                text = gr.Textbox(
                    label=f"{name} values",
                    lines=1,
                    visible=default != NOTHING,
                    elem_id=self._elem_id(f"{letter}_values"),
                )
                menu = gr.Dropdown(
                    [], value=[], label=f"{name} values", visible=False, multiselect=True, interactive=True
                )
                fill = gr.Button(
                    "Fill in all choices",
                    elem_classes=["tool", "icon-list"],
                    visible=False,
                    min_width=40,
                    scale=0,
                    elem_id=f"xyz_grid_fill_{letter}_tool_button",
                )
            self.rows.append((kind, text, menu, fill))

    def build_swaps(self, csv_mode: Any) -> None:
        """Makes the buttons that exchange two axes, here, and binds all there is. csv_mode: values are text."""
        import gradio as gr

        with gr.Row():
            for pair in ("xy", "yz", "xz"):
                first, second = (self.rows["xyz".index(letter)] for letter in pair)
                swap = gr.Button(
                    f"Swap {pair[0].upper()}/{pair[1].upper()} axes", size="sm", elem_id=f"{pair}_grid_swap_axes_button"
                )
                asked, told = [csv_mode, *first[:3], *second[:3]], [*first, *second]
                swap.click(lambda *values: self.swapped(*values), asked, told, **QUIET)
        for kind, text, menu, fill in self.rows:
            kind.change(self.chosen, [kind, text, menu, csv_mode], [kind, text, menu, fill], **QUIET)
            csv_mode.change(self.chosen, [kind, text, menu, csv_mode], [kind, text, menu, fill], **QUIET)
            fill.click(self.filled, [kind, csv_mode], [text, menu], **QUIET)

    @property
    def infotext_fields(self) -> list[tuple[Any, Any]]:
        return [
            field
            for letter, (kind, text, menu, _) in zip("XYZ", self.rows, strict=True)
            for field in (
                (kind, f"{letter} Type"),
                (text, f"{letter} Values"),
                (menu, lambda params, letter=letter: self.pasted(params, letter)),
            )
        ]

    @property
    def components(self) -> list[Any]:
        return [component for kind, text, menu, _ in self.rows for component in (kind, text, menu)]

    def option(self, kind: int | str | None) -> Any:
        """The axis of a number, or of a label. Raises: BadRequest."""
        options = self.options()
        if isinstance(kind, str) and not kind.isdigit():
            labels = [one.label for one in options]
            found = next((one for one in options if one.label.lower() == kind.lower()), None)
            if found is None:
                close = nearest(kind, labels)
                hint = f"Did you mean {close}?" if close else f"There are: {', '.join(labels)}."
                raise BadRequest(f"X/Y/Z plot: no axis {kind!r}. {hint}")
            return found
        number = int(kind or 0)
        if not 0 <= number < len(options):
            raise BadRequest(f"X/Y/Z plot: axis types are 0 to {len(options) - 1}, not {number}.")
        return options[number]

    # -- what the page asks ------------------------------------------------------------------------------------------

    def chosen(self, kind: int, text: str, menu: Sequence[str], csv_mode: bool) -> list[Any]:
        """The row of an axis after its type or the way of writing was changed: type, text, menu, fill button."""
        import gradio as gr

        option = self.option(kind)
        if option.choices is None:
            shown = [gr.update(visible=option.label != NOTHING), gr.update(visible=False, value=[])]
            return [gr.update(), *shown, gr.update(visible=False)]
        choices = list(option.choices())
        known = [value for value in (menu or listed(text or "")) if value in choices]
        if csv_mode:
            text = as_list(menu) if menu else text
            shown = [gr.update(visible=True, value=text), gr.update(visible=False, choices=choices, value=[])]
        else:
            shown = [gr.update(visible=False), gr.update(visible=True, choices=choices, value=known)]
        return [gr.update(), *shown, gr.update(visible=True)]

    def filled(self, kind: int, csv_mode: bool) -> list[Any]:
        """All choices of an axis: text, menu."""
        import gradio as gr

        option = self.option(kind)
        choices = list(option.choices()) if option.choices else []
        return [as_list(choices) if csv_mode else gr.update(), gr.update() if csv_mode else choices]

    def swapped(self, csv_mode: bool, *values: Any) -> list[Any]:
        """Both rows, each with what the other had."""
        import gradio as gr

        rows = []
        for kind, text, menu in (values[3:], values[:3]):
            row = self.chosen(kind, text, menu, csv_mode)
            row[0] = gr.update(value=self.option(kind).label)
            if "value" not in row[1]:
                row[1] = {**row[1], "value": text}
            rows += row
        return rows

    def pasted(self, params: Mapping[str, str], letter: str) -> Any:
        """The menu of an axis for pasted parameters."""
        import gradio as gr

        label, text = params.get(f"{letter} Type"), params.get(f"{letter} Values", "")
        option = next((one for one in self.options() if one.label == label), None)
        if option is None or option.choices is None:
            return gr.update(value=[])
        choices = list(option.choices())
        return gr.update(choices=choices, value=[value for value in listed(text) if value in choices])
