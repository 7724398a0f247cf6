"""`txt2img(...)` of A1111's page, for extensions that call or wrap it. It draws only within a job."""

from __future__ import annotations

from modules import processing, scripts, shared
from modules.a1111.missing import refusing

FIELDS = (
    "prompt",
    "negative_prompt",
    "styles",
    "n_iter",
    "batch_size",
    "cfg_scale",
    "height",
    "width",
    "enable_hr",
    "denoising_strength",
    "hr_scale",
    "hr_upscaler",
    "hr_second_pass_steps",
    "hr_resize_x",
    "hr_resize_y",
    "hr_checkpoint_name",
    "hr_sampler_name",
    "hr_scheduler",
    "hr_prompt",
    "hr_negative_prompt",
)


def override_settings_of(texts):
    """What the page's override settings say."""
    if not texts:
        return {}
    from modules import infotext_utils

    return infotext_utils.create_override_settings_dict(texts)


def txt2img_create_processing(id_task, request, *args, force_enable_hr=False):
    """`p` of the page's values, in A1111's order: FIELDS, the override settings, then the scripts' arguments."""
    values = dict(zip(FIELDS, args, strict=False))
    values["enable_hr"] = force_enable_hr or values["enable_hr"]
    overrides = override_settings_of(args[len(FIELDS)])
    p = processing.StableDiffusionProcessingTxt2Img(sd_model=shared.sd_model, override_settings=overrides, **values)
    p.scripts, p.script_args = scripts.scripts_txt2img, list(args[len(FIELDS) + 1 :])
    return p


def processed_for_page(p):
    """(pictures, JSON of what made them, HTML of the text, HTML of the notes) of `p`, drawn."""
    return shown_on_page(p.scripts.run(p, *p.script_args) or processing.process_images(p))


def shown_on_page(processed):
    """The same of what is drawn."""
    import html

    pictures = [] if shared.opts.do_not_show_images else processed.images + processed.extra_images
    info, comments = html.escape(processed.info or ""), html.escape(processed.comments or "")
    return pictures, processed.js(), f"<p>{info}</p>", f"<p>{comments}</p>"


def txt2img(id_task, request, *args):
    return processed_for_page(txt2img_create_processing(id_task, request, *args))


__getattr__ = refusing("modules.txt2img")
