"""Components that extensions know A1111's page by. Source: spec/extensions.md §5."""

from __future__ import annotations

import gradio as gr

from modules.a1111.gradio3.updates import write_no_stubs
from modules.a1111.missing import refusing
from modules.a1111.page.accordion import follow

__getattr__ = refusing("modules.ui_components")
write_no_stubs()


def _with(classes, options):
    given = options.pop("elem_classes", None) or []
    return [*([given] if isinstance(given, str) else given), *classes]


class FormComponent:
    """What stands in a form without a frame of its own."""

    def get_expected_parent(self):
        return gr.layouts.Form


class ToolButton(gr.Button):
    """A small button with an emoji."""

    def __init__(self, *args, **kwargs):
        classes = _with(["tool", "lettered"], kwargs)
        kwargs.setdefault("min_width", 0)
        kwargs.setdefault("scale", 0)
        super().__init__(*args, elem_classes=classes, **kwargs)


class ResizeHandleRow(gr.Row):
    def __init__(self, **kwargs):
        super().__init__(elem_classes=_with(["resize-handle-row"], kwargs), **kwargs)


class FormRow(gr.Row):
    """A row of a form."""


class FormColumn(gr.Column):
    """A column of a form."""


class FormGroup(gr.Group):
    """A group of a form."""


class FormHTML(gr.HTML):
    """HTML in a form."""


class FormColorPicker(gr.ColorPicker):
    """A colour in a form."""


class DropdownMulti(gr.Dropdown):
    """A list of which several may be chosen."""

    def __init__(self, **kwargs):
        kwargs.setdefault("multiselect", True)
        super().__init__(**kwargs)


class DropdownEditable(gr.Dropdown):
    """A list that takes other values, too."""

    def __init__(self, **kwargs):
        kwargs.setdefault("allow_custom_value", True)
        super().__init__(**kwargs)


class InputAccordion(gr.Checkbox):
    """An accordion that is its own checkbox: open means on. `with` it to fill it; its value is the checkbox's."""

    global_index = 0

    def __init__(self, value, **kwargs):
        self.accordion_id = kwargs.get("elem_id")
        if self.accordion_id is None:
            self.accordion_id = f"input-accordion-{InputAccordion.global_index}"
            InputAccordion.global_index += 1
        label = kwargs.get("label", "Accordion")
        classes = _with(["input-accordion"], kwargs)
        shown = kwargs.pop("visible", True)
        super().__init__(
            value=value,
            **{**kwargs, "elem_id": f"{self.accordion_id}-checkbox", "visible": "hidden"},
        )
        self.accordion = gr.Accordion(
            label, open=bool(value), elem_id=self.accordion_id, elem_classes=[*classes, "switched"], visible=shown
        )
        follow(self, self.accordion)

    def extra(self):
        """Within: what stands in the accordion's first line."""
        return gr.Column(elem_id=f"{self.accordion_id}-extra", elem_classes=["input-accordion-extra"], min_width=0)

    def __enter__(self):
        self.accordion.__enter__()
        return self

    def __exit__(self, *failure):
        self.accordion.__exit__(*failure)

    def get_block_name(self):
        return "checkbox"
