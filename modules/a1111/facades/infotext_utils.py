"""Texts of pictures, and the buttons that take pictures and texts to other tabs. Source: spec/extensions.md §5."""

from __future__ import annotations

import json
import re

from modules import shared
from modules.a1111.bound import bound
from modules.a1111.missing import refusing
from modules.a1111.page import pasting

__getattr__ = refusing("modules.infotext_utils")

re_param = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
re_imagesize = re.compile(r"^(\d+)x(\d+)$")
re_hypernet_hash = re.compile(r"\(([0-9a-f]+)\)$")
type_of_gr_update = dict
paste_fields: dict = {}
registered_param_bindings: list = []


class ParamBinding:
    """A button that takes what a component shows to the tab `tabname`."""

    def __init__(
        self,
        paste_button,
        tabname,
        source_text_component=None,
        source_image_component=None,
        source_tabname=None,
        override_settings_component=None,
        paste_field_names=None,
    ):
        self.paste_button = paste_button
        self.tabname = tabname
        self.source_text_component = source_text_component
        self.source_image_component = source_image_component
        self.source_tabname = source_tabname
        self.override_settings_component = override_settings_component
        self.paste_field_names = paste_field_names or []


class PasteField(tuple):
    """(component, target), which also knows its name in the API."""

    def __new__(cls, component, target, *, api=None):
        return super().__new__(cls, (component, target))

    def __init__(self, component, target, *, api=None):
        super().__init__()
        self.api = api
        self.component = component
        self.label = target if isinstance(target, str) else None
        self.function = target if callable(target) else None


def reset():
    paste_fields.clear()
    registered_param_bindings.clear()


def quote(text):
    if "," not in str(text) and "\n" not in str(text) and ":" not in str(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def unquote(text):
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def image_from_url_text(filedata):
    """The picture behind what a gallery or an image component handed over; None for nothing."""
    return pasting.picture_of(filedata)


def add_paste_fields(tabname, init_img, fields, override_settings_component=None):
    """Tells that `tabname` takes a picture in `init_img` and the values of texts in `fields`."""
    paste_fields[tabname] = {
        "init_img": init_img,
        "fields": fields,
        "override_settings_component": override_settings_component,
    }


def create_buttons(tabs_list):
    import gradio as gr

    return {tab: gr.Button(f"Send to {tab}", elem_id=f"{tab}_tab") for tab in tabs_list}


def bind_buttons(buttons, send_image, send_generate_info):
    """`send_generate_info`: the component with the text, or the name of the tab that knows it."""
    for tabname, button in buttons.items():
        by_component = None if isinstance(send_generate_info, str) else send_generate_info
        by_tab = send_generate_info if isinstance(send_generate_info, str) else None
        register_paste_params_button(
            ParamBinding(
                paste_button=button,
                tabname=tabname,
                source_text_component=by_component,
                source_image_component=send_image,
                source_tabname=by_tab,
            )
        )


def register_paste_params_button(binding):
    registered_param_bindings.append(binding)


def connect_paste_params_buttons():
    """Buttons are connected when the page is complete."""


def send_image_and_dimensions(x):
    return (pasting.picture_of(x), *pasting.size_of(x))


def parse_generation_parameters(x, skip_fields=None):
    """Infotext key -> value of a picture's text, with A1111's additions for old texts."""
    from modules.generation.infotext import parse

    entries = dict(parse(x or "", settings=bound().settings, styles=bound().studio.styles))
    for name in shared.opts.infotext_skip_pasting if skip_fields is None else skip_fields:
        entries.pop(name, None)
    return entries


def create_override_settings_dict(text_pairs):
    """Setting -> value of "Key: value" entries."""
    by_infotext = bound().settings.catalogue.by_infotext()
    res = {}
    for pair in text_pairs:
        key, _, value = pair.partition(":")
        setting = by_infotext.get(key.strip())
        if setting is not None:
            res[setting.key] = shared.opts.cast_value(setting.key, value.strip())
    return res


def get_override_settings(params, *, skip_fields=None):
    """(infotext name, setting, value) of what a text says about settings that are otherwise now."""
    res = []
    for name, setting in bound().settings.catalogue.by_infotext().items():
        if name in (skip_fields or ()) or params.get(name) is None:
            continue
        value = shared.opts.cast_value(setting.key, params[name])
        if value != getattr(shared.opts, setting.key):
            res.append((name, setting.key, value))
    return res
