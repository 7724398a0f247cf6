"""A job as scripts see it: `p`, a draft that they may change, and what comes out of it. Source: spec/extensions.md."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modules import shared
from modules.a1111 import drafts
from modules.a1111.bound import bound, work_now
from modules.a1111.missing import refusing
from modules.terms.request import GenerationRequest

opt_C = 4
opt_f = 8
opts = shared.opts


@dataclass(repr=False)
class StableDiffusionProcessing:
    """One press of Generate as A1111 spells it. Unknown attributes stay; `request` is what it began as."""

    sd_model: Any = None
    outpath_samples: str = None
    outpath_grids: str = None
    prompt: str = ""
    prompt_for_display: str = None
    negative_prompt: str = ""
    styles: list = None
    seed: int = -1
    subseed: int = -1
    subseed_strength: float = 0
    seed_resize_from_h: int = -1
    seed_resize_from_w: int = -1
    seed_enable_extras: bool = True
    sampler_name: str = None
    scheduler: str = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    restore_faces: bool = None
    tiling: bool = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    extra_generation_params: dict = None
    overlay_images: list = None
    eta: float = None
    do_not_reload_embeddings: bool = False
    denoising_strength: float = None
    ddim_discretize: str = None
    s_min_uncond: float = None
    s_churn: float = None
    s_tmax: float = None
    s_tmin: float = None
    s_noise: float = None
    override_settings: dict = None
    override_settings_restore_afterwards: bool = True
    sampler_index: int = None
    refiner_checkpoint: str = None
    refiner_switch_at: float = None
    token_merging_ratio: float = 0
    token_merging_ratio_hr: float = 0
    disable_extra_networks: bool = False
    firstpass_image: Any = None

    request: Any = field(default=None)
    scripts: Any = field(default=None)
    script_args: Any = field(default=None)
    user: str = field(default=None)
    is_api: bool = field(default=False)

    def __post_init__(self):
        if self.sampler_index is not None and self.sampler_name is None:
            from modules import sd_samplers

            self.sampler_name = sd_samplers.samplers[self.sampler_index].name
        self.sd_model = self.sd_model or shared.sd_model
        self.styles = list(self.styles or [])
        self.override_settings = dict(self.override_settings or {})
        self.extra_generation_params = dict(self.extra_generation_params or {})
        self.script_args = self.script_args or []
        self.request = self.request or drafts.request_in_job()
        self.comments = {}
        self.all_prompts = self.all_negative_prompts = self.all_seeds = self.all_subseeds = None
        self.prompts = self.negative_prompts = self.seeds = self.subseeds = None
        self.iteration = 0
        self.batch_index = 0
        self.color_corrections = None
        self.main_prompt = self.main_negative_prompt = None
        self.extra_network_data = []
        self.extra_result_images = []
        self.sampler = None
        self.rng = None
        self.paste_to = None
        self.is_hr_pass = False
        self.inversion = None
        self.is_using_inpainting_conditioning = False
        self.sampler_noise_scheduler_override = None
        self.scripts_setup_complete = False
        self.image_conditioning = None
        self.mask = getattr(self, "mask", None)
        self.nmask = None
        self.pixels_before_color_correction = None

    @property
    def script_args_value(self):
        return self.script_args

    @script_args_value.setter
    def script_args_value(self, value):
        self.script_args = value

    def comment(self, text):
        """Adds a sentence for the user."""
        self.comments[text] = 1

    def init(self, all_prompts, all_seeds, all_subseeds):
        """Called before the first batch, for those who override it."""

    def setup_scripts(self):
        self.scripts_setup_complete = True
        self.scripts.setup_scrips(self, is_ui=not self.is_api)

    def close(self):
        self.sampler = None

    # Encoded prompts are kept by the studio; extensions clear these lists.
    cached_c = cached_uc = cached_hr_c = cached_hr_uc = [None, None]

    @property
    def uc(self):
        return None

    c = uc

    def clear_prompt_cache(self):
        """The studio keeps encoded prompts by what they depend on, so there is nothing to forget."""

    def get_token_merging_ratio(self, for_hr=False):
        ratio = self.token_merging_ratio_hr if for_hr else 0
        return ratio or self.token_merging_ratio or opts.token_merging_ratio

    def setup_prompts(self):
        """`all_prompts` and `all_negative_prompts` from the prompt and its styles, one for each picture."""
        count = self.batch_size * self.n_iter
        styles = shared.prompt_styles

        def listed(text):
            return list(text) if isinstance(text, list) else [text] * count

        self.all_prompts = [styles.apply_styles_to_prompt(text, self.styles) for text in listed(self.prompt)]
        self.all_negative_prompts = [
            styles.apply_negative_styles_to_prompt(text, self.styles) for text in listed(self.negative_prompt)
        ]
        self.main_prompt, self.main_negative_prompt = self.all_prompts[0], self.all_negative_prompts[0]

    def js(self):
        return "{}"

    def txt2img_image_conditioning(self, x, width=None, height=None):
        return txt2img_image_conditioning(self.sd_model, x, width or self.width, height or self.height)

    def img2img_image_conditioning(self, source_image, latent_image, image_mask=None, round_image_mask=True):
        return txt2img_image_conditioning(self.sd_model, latent_image, self.width, self.height)

    def get_conds(self):
        return None, None

    def sample(self, conditioning, unconditional_conditioning, seeds, subseeds, subseed_strength, prompts):
        """A1111's walk, which extensions put their own in place of. The studio walks by itself."""
        from modules.a1111.missing import not_offered

        raise not_offered("modules.processing", "StableDiffusionProcessing.sample")

    def to_request(self) -> GenerationRequest:
        """What is to be drawn, as `p` stands now."""
        return drafts.request_of(self)


@dataclass(repr=False)
class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    enable_hr: bool = False
    denoising_strength: float = 0.75
    firstphase_width: int = 0
    firstphase_height: int = 0
    hr_scale: float = 2.0
    hr_upscaler: str = None
    hr_second_pass_steps: int = 0
    hr_resize_x: int = 0
    hr_resize_y: int = 0
    hr_checkpoint_name: str = None
    hr_sampler_name: str = None
    hr_scheduler: str = None
    hr_prompt: str = ""
    hr_negative_prompt: str = ""
    force_task_id: str = None

    def __post_init__(self):
        super().__post_init__()
        self.all_hr_prompts = self.all_hr_negative_prompts = None
        self.hr_prompts = self.hr_negative_prompts = None
        self.hr_upscale_to_x = self.hr_upscale_to_y = 0
        self.truncate_x = self.truncate_y = 0
        self.latent_scale_mode = None
        self.applied_old_hires_behavior_to = None

    def calculate_target_resolution(self):
        """`hr_upscale_to_x` and `hr_upscale_to_y`: the size of the second pass."""
        if self.hr_resize_x == 0 and self.hr_resize_y == 0:
            self.hr_upscale_to_x = int(self.width * self.hr_scale)
            self.hr_upscale_to_y = int(self.height * self.hr_scale)
        elif self.hr_resize_y == 0:
            self.hr_upscale_to_x, self.hr_upscale_to_y = (
                self.hr_resize_x,
                self.hr_resize_x * self.height // self.width,
            )
        elif self.hr_resize_x == 0:
            self.hr_upscale_to_x, self.hr_upscale_to_y = (
                self.hr_resize_y * self.width // self.height,
                self.hr_resize_y,
            )
        else:
            self.hr_upscale_to_x, self.hr_upscale_to_y = self.hr_resize_x, self.hr_resize_y


@dataclass(repr=False)
class StableDiffusionProcessingImg2Img(StableDiffusionProcessing):
    init_images: list = None
    resize_mode: int = 0
    denoising_strength: float = 0.75
    image_cfg_scale: float = None
    mask: Any = None
    mask_blur_x: int = 4
    mask_blur_y: int = 4
    mask_blur: int = None
    mask_round: bool = True
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: float = None
    latent_mask: Any = None
    force_task_id: str = None

    def __post_init__(self):
        super().__post_init__()
        self.init_images = list(self.init_images or [])
        self.image_mask = self.mask
        self.mask = None
        self.init_latent = None
        self.mask_for_overlay = None
        self.init_img_hash = None
        if self.mask_blur is not None:
            self.mask_blur_x = self.mask_blur_y = self.mask_blur
        else:
            self.mask_blur = self.mask_blur_x


class Processed:
    """What came out. images: grid first where there is one (`index_of_first_image` is then 1)."""

    def __init__(
        self,
        p,
        images_list,
        seed=-1,
        info="",
        subseed=None,
        all_prompts=None,
        all_negative_prompts=None,
        all_seeds=None,
        all_subseeds=None,
        index_of_first_image=0,
        infotexts=None,
        comments="",
    ):
        self.images = images_list
        self.prompt = p.prompt
        self.negative_prompt = p.negative_prompt
        self.seed = seed
        self.subseed = subseed
        self.subseed_strength = p.subseed_strength
        self.info = info
        self.comments = "".join(f"{comment}\n" for comment in p.comments) + (comments or "")
        self.width, self.height = p.width, p.height
        self.sampler_name = p.sampler_name
        self.cfg_scale = p.cfg_scale
        self.image_cfg_scale = getattr(p, "image_cfg_scale", None)
        self.steps = p.steps
        self.batch_size = p.batch_size
        self.restore_faces = p.restore_faces
        self.face_restoration_model = opts.face_restoration_model if p.restore_faces else None
        self.sd_model_name = getattr(p, "sd_model_name", None)
        self.sd_model_hash = getattr(p, "sd_model_hash", None)
        self.sd_vae_name = getattr(p, "sd_vae_name", None)
        self.sd_vae_hash = getattr(p, "sd_vae_hash", None)
        self.seed_resize_from_w = p.seed_resize_from_w
        self.seed_resize_from_h = p.seed_resize_from_h
        self.denoising_strength = getattr(p, "denoising_strength", None)
        self.extra_generation_params = p.extra_generation_params
        self.index_of_first_image = index_of_first_image
        self.styles = p.styles
        self.job_timestamp = shared.state.job_timestamp
        self.clip_skip = opts.CLIP_stop_at_last_layers
        self.token_merging_ratio = p.token_merging_ratio
        self.token_merging_ratio_hr = p.token_merging_ratio_hr
        self.eta = p.eta
        self.sampler = p.sampler_name
        self.prompt = self.prompt if not isinstance(self.prompt, list) else self.prompt[0]
        self.negative_prompt = (
            self.negative_prompt if not isinstance(self.negative_prompt, list) else self.negative_prompt[0]
        )
        self.seed = int(_one(self.seed) if self.seed is not None else -1)
        self.subseed = int(_one(self.subseed) if self.subseed is not None else -1)
        self.is_using_inpainting_conditioning = p.is_using_inpainting_conditioning
        self.all_prompts = all_prompts or p.all_prompts or [self.prompt]
        self.all_negative_prompts = all_negative_prompts or p.all_negative_prompts or [self.negative_prompt]
        self.all_seeds = all_seeds or p.all_seeds or [self.seed]
        self.all_subseeds = all_subseeds or p.all_subseeds or [self.subseed]
        self.infotexts = infotexts or [info] * len(images_list)
        self.version = bound().studio.infotext_version
        self.extra_images = []

    def infotext(self, p, index):
        return create_infotext(p, self.all_prompts, self.all_seeds, self.all_subseeds, comments=[], index=index)

    def get_token_merging_ratio(self, for_hr=False):
        return self.token_merging_ratio_hr if for_hr else self.token_merging_ratio

    def js(self):
        wanted = (
            "prompt all_prompts negative_prompt all_negative_prompts seed all_seeds subseed all_subseeds "
            "subseed_strength width height sampler_name cfg_scale steps batch_size restore_faces "
            "face_restoration_model sd_model_name sd_model_hash seed_resize_from_w seed_resize_from_h "
            "denoising_strength extra_generation_params index_of_first_image infotexts styles job_timestamp clip_skip "
            "is_using_inpainting_conditioning version"
        )
        return json.dumps({name: getattr(self, name) for name in wanted.split()}, default=lambda value: None)


def _one(value):
    return value[0] if isinstance(value, list) else value


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


def processed_of(p, result, settings) -> Processed:
    """A result as scripts see it."""
    shown = [image for image in result.images if image.kind in ("grid", "sample")]
    samples = [image for image in shown if image.kind == "sample"]
    grids = len(shown) - len(samples)
    p.sd_model_name, p.sd_model_hash = result.model.get("name"), result.model.get("hash")
    p.sd_vae_name, p.sd_vae_hash = result.model.get("vae_name"), result.model.get("vae_hash")
    for note in result.notes:
        p.comment(note)
    pictures = []
    for image in shown:
        image.image.info["parameters"] = image.infotext
        pictures.append(image.image)
    infotexts = [image.infotext for image in shown]
    return Processed(
        p,
        images_list=pictures,
        seed=p.all_seeds[0] if p.all_seeds else p.seed,
        info=infotexts[0] if infotexts else "",
        subseed=p.all_subseeds[0] if p.all_subseeds else p.subseed,
        index_of_first_image=min(grids, 1),
        infotexts=infotexts,
    )


def create_random_tensors(
    shape, seeds, subseeds=None, subseed_strength=0.0, seed_resize_from_h=0, seed_resize_from_w=0, p=None
):
    """The noise that these seeds begin with: (len(seeds), *shape)."""
    from modules.diffusion.noise import ImageNoise, Variation

    variation = Variation(tuple(subseeds or ()), subseed_strength) if subseed_strength else None
    resize = (seed_resize_from_h // opt_f, seed_resize_from_w // opt_f)
    return ImageNoise(
        tuple(shape),
        [int(seed) for seed in seeds],
        source=opts.randn_source,
        device=shared.device,
        variation=variation,
        resize_from=resize if min(seed_resize_from_h, seed_resize_from_w) > 0 else None,
    ).first()


def slerp(val, low, high):
    from modules.diffusion.noise import slerp as turned

    return turned(val, low, high)


def create_binary_mask(image, round=True):
    """A mask (L) from a picture: its alpha where that says something, else its brightness."""
    if image.mode == "RGBA" and image.split()[-1].getextrema() != (255, 255):
        mask = image.split()[-1].convert("L")
        return mask.point(lambda value: 255 if value > 128 else 0) if round else mask
    return image.convert("L")


def setup_color_correction(image):
    return image.copy()


def apply_color_correction(correction, original_image):
    from modules.imaging.colours import matched_colours

    return matched_colours(original_image, correction)


def uncrop(image, dest_size, paste_loc):
    from modules.imaging.masks import uncropped

    return uncropped(image, dest_size, paste_loc)


def apply_overlay(image, paste_loc, overlay):
    """`image` with `overlay` over it, and as it was before."""
    if overlay is None:
        return image, image.copy()
    from PIL import Image

    if paste_loc is not None:
        x, y, width, height = paste_loc
        base = Image.new("RGBA", (overlay.width, overlay.height))
        base.paste(image.resize((width, height), Image.Resampling.LANCZOS), (x, y))
        image = base
    before = image.copy()
    image = image.convert("RGBA")
    image.alpha_composite(overlay)
    return image.convert("RGB"), before


def txt2img_image_conditioning(sd_model, x, width, height):
    """(B, 5, 1, 1) of nothing: what inpainting models are told beside the text is put together by the studio."""
    return x.new_zeros((x.shape[0], 5, 1, 1))


def decode_latent_batch(model, batch, target_device=None, check_for_nans=False):
    """Decoded pictures, one (3, H, W) in [-1, 1] for each latent."""
    return [model.decode_first_stage(latent[None])[0] for latent in batch]


def old_hires_fix_first_pass_dimensions(width, height):
    import math

    desired, actual = 512 * 512, width * height
    scale = math.sqrt(desired / actual)
    return math.ceil(scale * width / 64) * 64, math.ceil(scale * height / 64) * 64


def fields_of(kind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that `kind` has."""
    known = {one.name for one in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in known}


def images_tensor_to_samples(image, approximation=None, model=None):
    from modules.sd_samplers_common import images_tensor_to_samples as encoded

    return encoded(image, approximation, model)


def decode_first_stage(model, x):
    return model.decode_first_stage(x)


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
        import importlib

        return importlib.import_module(f"modules.{name}")
    if name == "model_hijack":
        from modules.sd_hijack import model_hijack

        return model_hijack
    return refuse(name)


refuse = refusing("modules.processing")
