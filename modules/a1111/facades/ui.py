"""The page of A1111, as far as extensions ask it for pieces."""

from __future__ import annotations

import gradio as gr
from modules.call_queue import wrap_gradio_call, wrap_gradio_gpu_call, wrap_queued_call  # noqa: F401
from modules.ui_common import (  # noqa: F401 - reached as modules.ui.…
    create_output_panel,
    create_refresh_button,
    plaintext_to_html,
    save_files,
    setup_dialog,
)
from modules.ui_components import FormGroup, FormHTML, FormRow, InputAccordion, ToolButton  # noqa: F401

from modules import infotext_utils as parameters_copypaste
from modules import script_callbacks, scripts, shared  # noqa: F401
from modules.a1111.bound import bound
from modules.a1111.missing import not_offered

random_symbol = "\U0001f3b2\ufe0f"
reuse_symbol = "\u267b\ufe0f"
paste_symbol = "\u2199\ufe0f"
refresh_symbol = "\U0001f504"
save_style_symbol = "\U0001f4be"
apply_style_symbol = "\U0001f4cb"
clear_prompt_symbol = "\U0001f5d1\ufe0f"
extra_networks_symbol = "\U0001f3b4"
switch_values_symbol = "\U000021c5"
restore_progress_symbol = "\U0001f300"
detect_image_size_symbol = "\U0001f4d0"


def __getattr__(name):
    if name in ("txt2img_paste_fields", "img2img_paste_fields"):
        tab = parameters_copypaste.paste_fields.get(name.split("_")[0])
        return tab["fields"] if tab else []
    raise not_offered("modules.ui", name)


def gr_show(visible=True):
    return {"visible": visible if visible else "hidden", "__type__": "update"}


def create_override_settings_dropdown(tabname, row):
    """The list of settings that a pasted text brings along."""
    return gr.Dropdown(
        [],
        label="Override settings",
        visible="hidden",
        elem_id=f"{tabname}_override_settings",
        multiselect=True,
        allow_custom_value=True,
    )


def ordered_ui_categories():
    """The parts of a tab in their order."""
    yield from (
        "prompt",
        "image",
        "dimensions",
        "sampler",
        "accordions",
        "checkboxes",
        "batch",
        "cfg",
        "denoising",
        "seed",
        "override_settings",
        "scripts",
    )


def create_sampler_and_steps_selection(choices, tabname):
    """(steps, sampler), as A1111 had them."""
    with FormRow(elem_id=f"sampler_selection_{tabname}"):
        names = [getattr(one, "name", one) for one in choices]
        sampler = gr.Dropdown(names, value=names[0], label="Sampling method", elem_id=f"{tabname}_sampling")
        steps = gr.Slider(1, 150, step=1, value=20, label="Sampling steps", elem_id=f"{tabname}_steps")
    return steps, sampler


def resize_from_to_html(width, height, scale_by):
    """What a scale makes of a size, for the line below it."""
    if not width or not height:
        return "no image selected"
    sizes = (width, height), (int(width * float(scale_by)), int(height * float(scale_by)))
    before, after = (f"<span class='resolution'>{one}x{other}</span>" for one, other in sizes)
    return f"resize: from {before} to {after}"


def setup_progressbar(*args, **kwargs):
    """Progress is shown by requestProgress in the browser."""


def versions_html():
    import sys

    return f"Atelier {bound().studio.version} &#x2000;•&#x2000; python {sys.version.split()[0]}"
