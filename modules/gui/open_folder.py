"""The button that shows a tab's folder of pictures in the file browser of this machine, for whoever sits at it."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gradio as gr
from gradio.context import LocalContext

from modules.gui.i18n import say
from modules.gui.needs import Studio
from modules.gui.run import language_now, told
from modules.gui.saving import in_gallery
from modules.gui.widgets import private, script
from modules.terms.errors import Refused

FOLDERS = {
    "txt2img": "outdir_txt2img_samples",
    "img2img": "outdir_img2img_samples",
    "extras": "outdir_extras_samples",
}


def bind_open_folder(studio: Studio, name: str, button: gr.Button) -> None:
    """The events of `button` in the tab `name`."""
    chosen = gr.Textbox(visible="hidden", elem_id=f"{name}_folder_chosen")
    message = gr.Textbox(visible="hidden", elem_id=f"{name}_folder_opened")

    def open_chosen(choice: str) -> str:
        request = LocalContext.request.get(None)
        asker = request.client.host if request is not None and request.client is not None else ""
        return told(studio, lambda: opened(studio, name, choice, asker))

    button.click(open_chosen, chosen, message, js=script("chosenPicture", name), **private()).success(
        fn=None, js=script("tellSaved"), inputs=message, **private()
    )


def opened(studio: Studio, tab: str, choice: str, asker: str, show: Callable[[Path], None] | None = None) -> str:
    """The sentence that says which folder was opened. `choice`: see saving.py; `asker`: the address of the browser.

    Raises: Refused unless the browser runs on this machine and folders may be named.
    """
    if studio.flags.hide_ui_dir_config or not _is_here(asker):
        raise Refused(say("notice.folder_elsewhere", language_now(studio)))
    folder = folder_of(studio, tab, choice)
    folder.mkdir(parents=True, exist_ok=True)
    (show or show_in_file_browser)(folder)
    return say("notice.folder_opened", language_now(studio), folder=folder)


def folder_of(studio: Studio, tab: str, choice: str) -> Path:
    """The tab's folder, or that of the chosen picture within it, as `open_dir_button_choice` says."""
    settings = studio.settings
    root = Path(studio.flags.data_dir) / str(settings["outdir_samples"] or settings[FOLDERS[tab]])
    wish = str(settings["open_dir_button_choice"])
    _, images, index = in_gallery(studio, choice)
    if wish == "Output Root" or not 0 <= index < len(images):
        return root
    parent = Path(images[index]["path"]).parent
    inside = parent.resolve().is_relative_to(root.resolve())
    return parent if parent.is_dir() and (inside or "temp" in wish) else root


def show_in_file_browser(folder: Path) -> None:
    """Opens `folder` as the desktop does. Raises: Refused where there is no desktop."""
    if sys.platform == "win32":
        os.startfile(folder)
        return
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        raise Refused(f"This machine has no file browser to show {folder} in.")
    subprocess.Popen([opener, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _is_here(asker: str) -> bool:
    try:
        return ipaddress.ip_address(asker.partition("%")[0]).is_loopback
    except ValueError:
        return False
