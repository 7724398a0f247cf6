"""The Batch mode of img2img: its fields, and the batch that their values describe. Element ids are A1111's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from modules.gui.folders import check_folders_may_be_named
from modules.gui.i18n import label
from modules.gui.img2img_request import SIZE_BY_PICTURE, mask_of, scripts_for, source_of
from modules.gui.needs import Studio
from modules.gui.open_tabs import open_tabs
from modules.gui.request import to_request
from modules.gui.widgets import Fields, word
from modules.imaging.files import open_image
from modules.imaging.metadata import texts_in
from modules.terms.errors import BadRequest
from modules.terms.extras import ExtrasPicture
from modules.terms.picture_batch import INFO_PROPERTIES, PictureBatch

UPLOAD, FOLDER = "upload", "folder"
FILES = "batch.files"
# Field -> its words and A1111's element id.
FOLDERS = {
    "batch.folder": ("page.batch.input_folder", "input_dir"),
    "batch.output_folder": ("page.batch.output_folder", "output_dir"),
    "batch.mask_folder": ("page.batch.mask_folder", "inpaint_mask_dir"),
}


def batch_mode(studio: Studio, fields: Fields) -> gr.File:
    """Builds the mode's fields; returns the component for uploaded files, which are no part of a draft."""
    with open_tabs("batch.source", fields, UPLOAD, elem_id="img2img_batch_source") as page:
        with page(UPLOAD, "page.batch.upload", "img2img_batch_upload_tab"):
            files = gr.File(
                label=label("page.extras.files"),
                file_count="multiple",
                file_types=["image"],
                type="filepath",
                elem_id="img2img_batch_upload",
                height=240,
            )
        if not studio.flags.hide_ui_dir_config:
            with page(FOLDER, "page.batch.from_folder", "img2img_batch_from_dir_tab"):
                for name, (text, elem_id) in FOLDERS.items():
                    fields.add(name, gr.Textbox("", label=label(text), elem_id=f"img2img_batch_{elem_id}"))
    with gr.Accordion(label("page.batch.info"), open=False, elem_id="img2img_batch_png_info", elem_classes=["quiet"]):
        use = gr.Checkbox(False, label=label("page.batch.use_info"), elem_id="img2img_batch_use_png_info")
        fields.add("batch.use_info", use)
        if not studio.flags.hide_ui_dir_config:
            where = gr.Textbox("", label=label("page.batch.info_folder"), elem_id="img2img_batch_png_info_dir")
            fields.add("batch.info_folder", where)
        which = gr.CheckboxGroup(
            [word(name) for name in INFO_PROPERTIES],
            value=list(INFO_PROPERTIES[:3]),
            label=label("page.batch.info_properties"),
            elem_id="img2img_batch_png_info_props",
        )
        fields.add("batch.info_properties", which)
    return files


def to_picture_batch(
    studio: Studio, values: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> PictureBatch:
    """What Generate asks for in this mode. `settings` are overrides that hold for it alone.

    Raises: BadRequest, Refused with the sentence for the person.
    """
    request = to_request({**values, "hires": False}, settings)
    strength = values.get("denoising_strength")
    named = {name.partition(".")[2]: str(values.get(name) or "").strip() for name in FOLDERS}
    named["info_folder"] = str(values.get("batch.info_folder") or "").strip()
    from_folder = values.get("batch.source") == FOLDER
    if not from_folder:
        named["folder"] = ""
    if any(named.values()) or from_folder:
        check_folders_may_be_named(studio)
    request = request.with_(
        denoising_strength=0.75 if strength is None else float(strength),
        scripts=scripts_for(values, masked=bool(named["mask_folder"])),
    )
    if from_folder and not named["folder"]:
        raise BadRequest("Name the folder with the pictures first.")
    files = () if from_folder else values.get(FILES) or ()
    batch = PictureBatch(
        request=request,
        source=source_of((), values),
        mask=mask_of(Image.new("L", (1, 1)), values) if named["mask_folder"] else None,
        pictures=tuple(_picture(Path(file)) for file in files),
        scale_by=float(values.get("scale_by") or 1) if values.get("resize_tab") == SIZE_BY_PICTURE else 0.0,
        use_info=bool(values.get("batch.use_info")),
        info_properties=tuple(values.get("batch.info_properties") or ()),
        **named,
    )
    batch.check()
    return batch


def _picture(path: Path) -> ExtrasPicture:
    image = open_image(path, what=path.name)
    return ExtrasPicture(image, path.stem, texts_in(image))
