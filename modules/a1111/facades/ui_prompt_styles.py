"""What A1111's row of styles lends to extensions."""

from __future__ import annotations

from modules import shared, ui_common, ui_components  # noqa: F401 - reached through this module
from modules.a1111.missing import refusing

styles_edit_symbol = "\U0001f58c\ufe0f"
styles_materialize_symbol = "\U0001f4cb"
styles_copy_symbol = "\U0001f4dd"


def select_style(name):
    """Updates for the prompt, the negative prompt, and two buttons, once a style is chosen."""
    import gradio as gr

    style = shared.prompt_styles.styles.get(name)
    known = gr.update(visible=style is not None)
    return (
        style.prompt if style else gr.update(),
        style.negative_prompt if style else gr.update(),
        known,
        gr.update(visible=bool(name)),
    )


def refresh_styles():
    import gradio as gr

    shared.prompt_styles.reload()
    return gr.update(choices=list(shared.prompt_styles.styles)), gr.update(choices=list(shared.prompt_styles.styles))


def materialize_styles(prompt, negative_prompt, styles):
    """Updates: both prompts with the styles written out, and an empty choice of styles."""
    import gradio as gr

    applied = shared.prompt_styles.apply_styles_to_prompt(prompt, styles)
    negative = shared.prompt_styles.apply_negative_styles_to_prompt(negative_prompt, styles)
    return [gr.update(value=applied), gr.update(value=negative), gr.update(value=[])]


__getattr__ = refusing("modules.ui_prompt_styles")
