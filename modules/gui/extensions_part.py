"""The places in a generating tab where scripts of extensions stand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.gui import paste
from modules.gui.form import Tab
from modules.gui.needs import Studio
from modules.gui.widgets import private
from modules.terms.request import GenerationRequest


def building(studio: Studio) -> AbstractContextManager[None]:
    """Within: the page is built; extensions hear of its components."""
    return studio.host.page.building() if studio.host is not None else nullcontext()


def building_tab(studio: Studio, tab: str) -> AbstractContextManager[None]:
    """Within: the tab of that name is built."""
    return studio.host.page.tab(tab) if studio.host is not None else nullcontext()


def section(studio: Studio, tab: str, name: str) -> None:
    """Builds the scripts that want to stand in this part of the tab."""
    if studio.host is not None:
        studio.host.page.section(tab, name)


def scripts_part(studio: Studio, tab: Tab) -> None:
    """Builds the scripts that no section has taken; the values of all of them join those of `tab`."""
    with gr.Column(elem_id=f"{tab.name}_script_container", elem_classes=["script-container"]):
        _panels(studio, tab)
        if studio.host is None:
            return
        page = studio.host.page
        found = page.scripts(tab.name)
        for name, component in found:
            tab.scripts.add(name, component)
        for name, component in page.drafted(found):
            tab.kept_scripts.add(name, component)


def script_files(studio: Studio, tab: Tab) -> Mapping[str, str]:
    """Name of each field of a script in `tab` -> the name of the script's file."""
    known = studio.host.page.files(tab.name) if studio.host is not None else {}
    return {name: file for name, file in known.items() if name in tab.scripts.components}


def _panels(studio: Studio, tab: Tab) -> None:
    """Builds the panels that extensions add to the tab."""
    for panel in studio.additions.panels:
        if panel.tab != tab.name:
            continue
        with gr.Accordion(panel.title, open=False, elem_id=f"{tab.name}_panel_{panel.name}"):
            try:
                components = panel.build()
            except Exception as error:  # noqa: BLE001 - code of others
                studio.extensions.failed(panel.name.rpartition("-")[0].lower(), f"its panel {panel.title}", error)
                continue
        for name, component in components.items():
            tab.scripts.add(f"panel.{panel.name}.{name}", component)
            tab.kept_scripts.add(f"panel.{panel.name}.{name}", component)


def with_panels(studio: Studio, tab: str, request: GenerationRequest, values: Mapping[str, Any]) -> GenerationRequest:
    """`request` with what the panels of extensions say. Raises: BadRequest."""
    for panel in studio.additions.panels:
        prefix = f"panel.{panel.name}."
        if panel.tab == tab:
            own = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
            request = panel.apply(request, own)
    return request


def with_scripts(studio: Studio, tab: str, request: GenerationRequest, values: Mapping[str, Any]) -> GenerationRequest:
    """`request` with what the fields of the scripts say; what it asks of scripts already stays."""
    request = with_panels(studio, tab, request, values)
    if studio.host is None:
        return request
    asked = studio.host.page.asked(tab, values)
    request = request.with_(script=asked["script"], scripts={**asked["scripts"], **request.scripts})
    request.check()
    return request


def restored_scripts(studio: Studio, tab: str, request: GenerationRequest) -> dict[str, Any]:
    """Values by name of the fields of scripts, as `request` asks of them."""
    return studio.host.page.restored(tab, request) if studio.host is not None else {}


def extension_tabs(studio: Studio) -> None:
    """Builds the tabs that extensions bring, among those of the page."""
    for one in studio.additions.tabs:
        with gr.Tab(one.title, id=one.name, elem_id=f"tab_{one.name}"):
            try:
                one.build()
            except Exception as error:  # noqa: BLE001 - code of others
                studio.extensions.failed(one.name.rpartition("-")[0].lower(), f"its tab {one.title}", error)
    if studio.host is None:
        return
    for title, elem_id, build in studio.host.page.tabs():
        with gr.Tab(title, id=elem_id, elem_id=f"tab_{elem_id}"):
            build()


def left_to(studio: Studio, extension: str) -> bool:
    """Whether an active extension of that name does what a part of the page would do: the part is left out then, since
    both would read the same texts of pictures and have the same element ids."""
    return any(one.canonical_name == extension for one in studio.extensions.active())


def know_tabs(studio: Studio, txt2img: Tab, img2img: Tab, extras: Tab) -> None:
    """Tells extensions of the fields and canvases to which they may send, before their own tabs are built."""
    if studio.host is None:
        return
    page, canvases = studio.host.page, _canvases(img2img, extras)
    page.know("txt2img", txt2img.fields.components)
    page.know("img2img", img2img.fields.components, canvases["img2img"])
    page.know("inpaint", img2img.fields.components, canvases["inpaint"])
    page.know("extras", {}, canvases["extras"])


def connect_senders(studio: Studio, img2img: Tab, extras: Tab) -> None:
    """Binds the buttons of extensions that send pictures and texts, once all are built."""
    if studio.host is not None:
        studio.host.page.connect(_canvases(img2img, extras))


def _canvases(img2img: Tab, extras: Tab) -> dict[str, Component]:
    return {
        "img2img": img2img.pictures.components["image"],
        "inpaint": img2img.pictures.components["inpaint"],
        "extras": extras.pictures.components["extras"],
    }


def bind_paste(studio: Studio, tab: Tab, button: gr.Button) -> None:
    """The paste button fills the fields of scripts, too."""
    if studio.host is None:
        return
    page = studio.host.page
    outputs = page.paste_outputs(tab.name)
    if not outputs:
        return

    def fill(prompt: str) -> Any:
        updates = page.pasted(tab.name, prompt.strip() or paste.last_infotext(studio))
        return updates if len(updates) > 1 else updates[0]

    button.click(fill, tab.fields.components["prompt"], outputs, **private())
