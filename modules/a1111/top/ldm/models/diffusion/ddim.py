"""DDIM as ldm has it, for those who keep and put back its methods; the studio's own samplers walk."""

from __future__ import annotations

from ldm.modules.diffusionmodules.util import (  # noqa: F401
    extract_into_tensor,
    make_ddim_sampling_parameters,
    make_ddim_timesteps,
    noise_like,
)
from modules.a1111.missing import not_offered, refusing


class DDIMSampler:
    """Its methods may be read and replaced; nobody calls them here."""

    def __init__(self, model, schedule="linear", **kwargs):
        raise not_offered("ldm.models.diffusion.ddim", "DDIMSampler")

    def make_schedule(self, ddim_num_steps, ddim_discretize="uniform", ddim_eta=0.0, verbose=True):
        raise not_offered("ldm.models.diffusion.ddim", "DDIMSampler.make_schedule")

    def sample(self, S, batch_size, shape, conditioning=None, **kwargs):
        raise not_offered("ldm.models.diffusion.ddim", "DDIMSampler.sample")

    def p_sample_ddim(self, x, c, t, index, **kwargs):
        raise not_offered("ldm.models.diffusion.ddim", "DDIMSampler.p_sample_ddim")


__getattr__ = refusing("ldm.models.diffusion.ddim")
