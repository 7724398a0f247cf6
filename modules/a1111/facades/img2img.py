"""Batches of img2img over the files of a folder, for extensions that call or wrap them. It draws only within a job."""

from __future__ import annotations

import os

from modules import images, processing, scripts, shared
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


__getattr__ = refusing("modules.img2img")
