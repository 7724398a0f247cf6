"""Batches of img2img over the files of a folder, for extensions that call or wrap them. It draws only within a job."""

from __future__ import annotations

import os

from modules import images, processing, scripts, shared, txt2img
from modules.a1111.missing import refusing


def process_batch(
    p,
    input,
    output_dir,
    inpaint_mask_dir,
    args,
    to_scale=False,
    scale_by=1.0,
    use_png_info=False,
    png_info_props=None,
    png_info_dir=None,
):
    """Draws `p` over every picture of a folder, or of a list of files; what came last, as Processed."""
    files = input if isinstance(input, list) else shared.listfiles(input)
    masks = shared.listfiles(inpaint_mask_dir) if inpaint_mask_dir else []
    by_stem = {os.path.splitext(os.path.basename(mask))[0]: mask for mask in masks}
    if output_dir:
        p.outpath_samples = output_dir
    last = None
    for file in files:
        if shared.state.interrupted:
            break
        image = images.read(file)
        p.init_images = [image] * p.batch_size
        if to_scale:
            p.width, p.height = int(image.width * scale_by), int(image.height * scale_by)
        if masks:
            p.image_mask = images.read(by_stem.get(os.path.splitext(os.path.basename(file))[0], masks[0]))
        last = scripts.scripts_img2img.run(p, *args) or processing.process_images(p)
    return last


# A1111's order of what the page hands over, up to the scripts' arguments.
FIELDS = (
    "mode",
    "prompt",
    "negative_prompt",
    "styles",
    "init_img",
    "sketch",
    "init_img_with_mask",
    "inpaint_color_sketch",
    "inpaint_color_sketch_orig",
    "init_img_inpaint",
    "init_mask_inpaint",
    "mask_blur",
    "mask_alpha",
    "inpainting_fill",
    "n_iter",
    "batch_size",
    "cfg_scale",
    "image_cfg_scale",
    "denoising_strength",
    "selected_scale_tab",
    "height",
    "width",
    "scale_by",
    "resize_mode",
    "inpaint_full_res",
    "inpaint_full_res_padding",
    "inpainting_mask_invert",
    "batch_input_dir",
    "batch_output_dir",
    "batch_inpaint_mask_dir",
    "override_settings_texts",
    "batch_use_png_info",
    "batch_png_info_props",
    "batch_png_info_dir",
    "batch_source_type",
    "batch_upload",
)
FOR_P = (
    "prompt",
    "negative_prompt",
    "styles",
    "mask_blur",
    "inpainting_fill",
    "n_iter",
    "batch_size",
    "cfg_scale",
    "image_cfg_scale",
    "denoising_strength",
    "height",
    "width",
    "resize_mode",
    "inpaint_full_res",
    "inpaint_full_res_padding",
    "inpainting_mask_invert",
)


def picture_and_mask(values):
    """What the chosen one of A1111's six modes draws over, and where; None for a mask that there is not."""
    mode = values["mode"]
    if mode == 2:
        return values["init_img_with_mask"]["image"], values["init_img_with_mask"]["mask"].convert("L")
    if mode == 3:
        from PIL import ImageChops

        painted, before = values["inpaint_color_sketch"], values["inpaint_color_sketch_orig"]
        changed = ImageChops.difference(painted.convert("RGB"), (before or painted).convert("RGB")).convert("L")
        return painted, changed.point(lambda value: 255 if value else 0)
    if mode == 4:
        return values["init_img_inpaint"], values["init_mask_inpaint"]
    return values["sketch"] if mode == 1 else values["init_img"], None


def img2img_create_processing(id_task, request, *args):
    """`p` of the page's values, in A1111's order: FIELDS, then the scripts' arguments."""
    values = dict(zip(FIELDS, args, strict=False))
    picture, mask = picture_and_mask(values)
    if picture is not None:
        picture = picture.convert("RGB")
        if values["selected_scale_tab"] == 1:
            values["width"] = int(picture.width * values["scale_by"])
            values["height"] = int(picture.height * values["scale_by"])
    p = processing.StableDiffusionProcessingImg2Img(
        sd_model=shared.sd_model,
        init_images=[picture],
        mask=mask,
        override_settings=txt2img.override_settings_of(values["override_settings_texts"]),
        **{name: values[name] for name in FOR_P},
    )
    p.scripts, p.script_args = scripts.scripts_img2img, list(args[len(FIELDS) :])
    return p


def img2img(id_task, request, *args):
    """(pictures, JSON of what made them, HTML of the text, HTML of the notes); a folder's, if the mode says so."""
    values = dict(zip(FIELDS, args, strict=False))
    p = img2img_create_processing(id_task, request, *args)
    if values["mode"] != 5:
        return txt2img.processed_for_page(p)
    processed = process_batch(
        p,
        values["batch_input_dir"],
        values["batch_output_dir"],
        values["batch_inpaint_mask_dir"],
        p.script_args,
        to_scale=values["selected_scale_tab"] == 1,
        scale_by=values["scale_by"],
    )
    return txt2img.shown_on_page(processed or processing.Processed(p, []))


__getattr__ = refusing("modules.img2img")
