"""How A1111 describes a sampler, and helpers around latents."""

from __future__ import annotations

from collections import namedtuple

from modules import shared
from modules.a1111.missing import refusing

SamplerDataTuple = namedtuple("SamplerData", ["name", "constructor", "aliases", "options"])


class SamplerData(SamplerDataTuple):
    """`own`: the studio's sampler; else one that an extension made up. `base`: the studio's sampler behind it."""

    own = False
    base = None

    def total_steps(self, steps):
        return steps * 2 if self.options.get("second_order", False) else steps


class InterruptedException(BaseException):
    pass


approximation_indexes = {"Full": 0, "Approx NN": 1, "Approx cheap": 2, "TAESD": 3}


class Sampler:
    """What `create_sampler` gives: it draws nothing by itself; its `model_wrap_cfg` may be replaced."""

    def __init__(self, name, sd_model=None):
        from modules.sd_samplers_cfg_denoiser import CFGDenoiser

        self.name = name
        self.base = name
        self.sd_model = sd_model or shared.sd_model
        self.config = None
        self.options = {}
        self.extra_params = []
        self.p = None
        self.eta = None
        self.last_latent = None
        self.stop_at = None
        self.conditioning_key = "crossattn"
        self.model_wrap_cfg = CFGDenoiser(self)
        self.model_wrap = self.model_wrap_cfg.inner_model

    def callback_state(self, d):
        """Steps are followed by the studio."""

    def initialize(self, p):
        self.p = self.model_wrap_cfg.p = p
        return {}


def setup_img2img_steps(p, steps=None):
    """Steps that are scheduled, and those that are walked."""
    strength = min(p.denoising_strength, 0.999) if p.denoising_strength > 0 else 0
    if shared.opts.img2img_fix_steps or steps is not None:
        requested = steps or p.steps
        scheduled = int(requested / strength) if strength > 0 else 0
        return scheduled, requested - 1
    return p.steps, int(strength * p.steps)


def images_tensor_to_samples(image, approximation=None, model=None):
    """Latents (B, C, h, w) of pictures (B, 3, H, W) in 0 to 1."""
    return (model or shared.sd_model).encode_first_stage(image * 2 - 1)


def decode_first_stage(model, x):
    return model.decode_first_stage(x)


def single_sample_to_image(sample, approximation=None):
    from modules.a1111.hooking import as_picture

    return as_picture((shared.sd_model.decode_first_stage(sample[None])[0] + 1) / 2)


def sample_to_image(samples, index=0, approximation=None):
    return single_sample_to_image(samples[index], approximation)


def samples_to_image_grid(samples, approximation=None):
    from modules import images

    return images.image_grid([single_sample_to_image(sample, approximation) for sample in samples])


def store_latent(decoded):
    """Previews are drawn by the studio."""


def apply_refiner(cfg_denoiser, x=None):
    """The studio hands over to the refiner by itself; False: nothing was changed."""
    return False


def catch_interrupted(function):
    return function()


class TorchHijack:
    """torch, as A1111's samplers see it: noise comes from `p.rng`."""

    def __init__(self, p):
        self.rng = p.rng

    def __getattr__(self, name):
        import torch

        return getattr(torch, name)


__getattr__ = refusing("modules.sd_samplers_common")
