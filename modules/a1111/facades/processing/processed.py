"""What a job came to, as scripts see it."""

from __future__ import annotations

import json

from modules import processing, shared
from modules.a1111.bound import bound


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
        self.face_restoration_model = shared.opts.face_restoration_model if p.restore_faces else None
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
        self.clip_skip = shared.opts.CLIP_stop_at_last_layers
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
        return processing.create_infotext(
            p, self.all_prompts, self.all_seeds, self.all_subseeds, comments=[], index=index
        )

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
    return processing.Processed(
        p,
        images_list=pictures,
        seed=p.all_seeds[0] if p.all_seeds else p.seed,
        info=infotexts[0] if infotexts else "",
        subseed=p.all_subseeds[0] if p.all_subseeds else p.subseed,
        index_of_first_image=min(grids, 1),
        infotexts=infotexts,
    )


def _one(value):
    return value[0] if isinstance(value, list) else value
