"""A job as scripts see it: `p`, a draft that they may change, and what comes out of it. Source: spec/extensions.md."""

from __future__ import annotations

import dataclasses
import importlib
import random
from collections.abc import Mapping
from typing import Any

from modules.processing.draft import StableDiffusionProcessing
from modules.processing.latents import (  # noqa: F401 - what extensions reach through this module
    create_random_tensors,
    decode_first_stage,
    decode_latent_batch,
    images_tensor_to_samples,
    opt_C,
    opt_f,
    slerp,
    txt2img_image_conditioning,
)
from modules.processing.pictures import (  # noqa: F401
    apply_color_correction,
    apply_overlay,
    create_binary_mask,
    setup_color_correction,
    uncrop,
)
from modules.processing.processed import Processed, processed_of  # noqa: F401
from modules.processing.tabs import (  # noqa: F401
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)

from modules import shared
from modules.a1111 import drafts
from modules.a1111.bound import bound, work_now
from modules.a1111.missing import refusing

opts = shared.opts


def get_fixed_seed(seed):
    """`seed`, or a random one for -1 and what is no number."""
    try:
        seed = int(seed) if seed not in (None, "") else -1
    except (TypeError, ValueError):
        seed = -1
    work = bound().work
    chance = random if work is None else work.chance
    return chance.randrange(4294967294) if seed == -1 else seed


def fix_seed(p):
    p.seed = get_fixed_seed(p.seed)
    p.subseed = get_fixed_seed(p.subseed)


def program_version():
    return bound().studio.infotext_version


def create_infotext(
    p,
    all_prompts,
    all_seeds,
    all_subseeds,
    comments=None,
    iteration=0,
    position_in_batch=0,
    use_main_prompt=False,
    index=None,
    all_negative_prompts=None,
):
    """The text of a picture of `p`, from its values as they stand."""
    place = position_in_batch + iteration * p.batch_size if index is None else index
    return drafts.infotext_of(p, all_prompts, all_seeds, all_subseeds, all_negative_prompts, place, use_main_prompt)


own_create_infotext = create_infotext


def process_images(p: StableDiffusionProcessing) -> Processed:
    """Draws what `p` asks for, with the always-on scripts. Raises: WebuiError outside of a job."""
    work_now("process_images")
    if p.scripts is not None:
        if not p.scripts_setup_complete:
            p.setup_scripts()
        p.scripts.before_process(p)
    return process_images_inner(p)


def process_images_inner(p: StableDiffusionProcessing) -> Processed:
    """`process_images` after its first hook; extensions wrap it."""
    from modules.a1111.drawing import draw_draft
    from modules.a1111.hooking import ScriptHooks

    return draw_draft(p, ScriptHooks(p))


def old_hires_fix_first_pass_dimensions(width, height):
    import math

    desired, actual = 512 * 512, width * height
    scale = math.sqrt(desired / actual)
    return math.ceil(scale * width / 64) * 64, math.ceil(scale * height / 64) * 64


def fields_of(kind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that `kind` has."""
    known = {one.name for one in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in known}


def get_sampler_name(p):
    return p.sampler_name


def __getattr__(name):
    # Modules that A1111's processing imports, and extensions reach through it.
    if name in (
        "images",
        "devices",
        "sd_models",
        "sd_samplers",
        "sd_vae",
        "masking",
        "scripts",
        "prompt_parser",
        "rng",
        "extra_networks",
        "errors",
        "sd_samplers_common",
        "infotext_utils",
    ):
        return importlib.import_module(f"modules.{name}")
    if name == "model_hijack":
        from modules.sd_hijack import model_hijack

        return model_hijack
    return refuse(name)


refuse = refusing("modules.processing")
