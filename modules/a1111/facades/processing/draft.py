"""`p`: what scripts are handed of a job and may change. Source: spec/extensions.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from modules import processing, shared
from modules.a1111 import drafts
from modules.terms.request import GenerationRequest


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
        return ratio or self.token_merging_ratio or shared.opts.token_merging_ratio

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
        return processing.txt2img_image_conditioning(self.sd_model, x, width or self.width, height or self.height)

    def img2img_image_conditioning(self, source_image, latent_image, image_mask=None, round_image_mask=True):
        return processing.txt2img_image_conditioning(self.sd_model, latent_image, self.width, self.height)

    def get_conds(self):
        return None, None

    def sample(self, conditioning, unconditional_conditioning, seeds, subseeds, subseed_strength, prompts):
        """A1111's walk, which extensions put their own in place of. The studio walks by itself."""
        from modules.a1111.missing import not_offered

        raise not_offered("modules.processing", "StableDiffusionProcessing.sample")

    def to_request(self) -> GenerationRequest:
        """What is to be drawn, as `p` stands now."""
        return drafts.request_of(self)
