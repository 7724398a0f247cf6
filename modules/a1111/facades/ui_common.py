"""Pieces of the page that extensions build with. Source: spec/extensions.md §5."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys

import gradio as gr
from modules.infotext_utils import ParamBinding, create_buttons, register_paste_params_button
from modules.ui_components import ToolButton

from modules.a1111.bound import bound
from modules.a1111.missing import refusing

__getattr__ = refusing("modules.ui_common")
folder_symbol = "\U0001f4c2"
refresh_symbol = "\U0001f504"


def plaintext_to_html(text, classname=None):
    content = "<br>\n".join(html.escape(line) for line in text.split("\n"))
    return f"<p class='{classname}'>{content}</p>" if classname else f"<p>{content}</p>"


def update_generation_info(generation_info, html_info, img_index):
    """The text of the chosen picture: (HTML, nothing else changes)."""
    try:
        texts = json.loads(generation_info)["infotexts"]
        return plaintext_to_html(texts[max(0, img_index) if img_index < len(texts) else 0]), gr.update()
    except (ValueError, TypeError, KeyError, IndexError):
        return html_info, gr.update()


def create_refresh_button(refresh_component, refresh_method, refreshed_args, elem_id):
    """A button that calls `refresh_method` and gives the component, or each of several, the arguments of today."""
    components = refresh_component if isinstance(refresh_component, list) else [refresh_component]
    label = next((one.label for one in components if getattr(one, "label", None)), "")

    def refresh():
        refresh_method()
        changes = refreshed_args() if callable(refreshed_args) else refreshed_args
        for name, value in changes.items():
            for one in components:
                setattr(one, name, value)
        updates = [gr.update(**(changes or {})) for _ in components]
        return updates if len(updates) > 1 else updates[0]

    button = ToolButton(value=refresh_symbol, elem_id=elem_id)
    button.click(fn=refresh, inputs=[], outputs=components, show_progress="hidden", queue=False)
    button.refreshes = str(label)
    return button


def setup_dialog(button_show, dialog, *, button_close=None):
    """Shows the column `dialog` as a dialog of the page when a button is pressed."""
    dialog.visible = "hidden"
    button_show.click(
        fn=lambda: gr.update(visible=True), inputs=[], outputs=[dialog], show_progress="hidden", queue=False
    ).then(fn=None, js=f"() => popupId({json.dumps(dialog.elem_id)})", show_progress="hidden")
    if button_close:
        button_close.click(fn=None, js="() => closePopup()", show_progress="hidden")


def open_folder(f, images=None, index=None):
    """Opens a folder in the file manager of the machine that the studio runs on."""
    if bound().studio.flags.hide_ui_dir_config or not os.path.isdir(f):
        return
    if sys.platform == "win32":
        os.startfile(f)
    else:
        subprocess.Popen(["open" if sys.platform == "darwin" else "xdg-open", os.path.normpath(f)])


class OutputPanel:
    """What `create_output_panel` made."""

    gallery = None
    generation_info = None
    infotext = None
    html_log = None
    button_upscale = None


def create_output_panel(tabname, outdir, toprow=None):
    """A gallery with its buttons and texts, for a tab of an extension."""
    res = OutputPanel()
    with (
        gr.Column(elem_id=f"{tabname}_results"),
        gr.Column(elem_id=f"{tabname}_results_panel"),
        gr.Group(elem_id=f"{tabname}_gallery_container"),
    ):
        res.gallery = gr.Gallery(
            label="Output", show_label=False, elem_id=f"{tabname}_gallery", columns=4, preview=True, interactive=False
        )
    with gr.Row(elem_id=f"image_buttons_{tabname}"):
        open_button = ToolButton(folder_symbol, elem_id=f"{tabname}_open_folder")
        buttons = create_buttons(["img2img", "inpaint", "extras"])
    open_button.click(fn=lambda: open_folder(outdir), inputs=[], outputs=[], show_progress="hidden")
    with gr.Group():
        res.infotext = gr.HTML(elem_id=f"html_info_{tabname}", elem_classes=["infotext"])
        res.html_log = gr.HTML(elem_id=f"html_log_{tabname}", elem_classes=["html-log"])
        res.generation_info = gr.Textbox(visible="hidden", elem_id=f"generation_info_{tabname}")
    for paste_tabname, paste_button in buttons.items():
        register_paste_params_button(
            ParamBinding(
                paste_button=paste_button,
                tabname=paste_tabname,
                source_tabname="txt2img" if tabname == "txt2img" else None,
                source_image_component=res.gallery,
            )
        )
    return res


def save_files(js_data, images, do_make_zip, index):
    """Saves what a gallery of an extension shows: (paths, HTML)."""
    from modules.images import save_image
    from modules.infotext_utils import image_from_url_text

    from modules import shared

    data = json.loads(js_data) if js_data else {}
    texts = data.get("infotexts") or [""]
    chosen = images if index is None or index < 0 or not shared.opts.save_selected_only else [images[index]]
    paths = []
    for place, picture in enumerate(chosen):
        text = texts[place] if place < len(texts) else texts[0]
        paths.append(save_image(image_from_url_text(picture), shared.opts.outdir_save, "", info=text)[0])
    return gr.update(value=paths, visible=True), plaintext_to_html(f"Saved: {os.path.basename(paths[0])}")
