"""Names that extensions derive from; see `sd_samplers_cfg_denoiser`."""

from __future__ import annotations

from modules.sd_samplers import samplers_timesteps
from modules.sd_samplers_cfg_denoiser import CFGDenoiser
from modules.sd_samplers_common import Sampler

samplers_data_timesteps = samplers_timesteps
samplers_data_compvis = samplers_timesteps


class CFGDenoiserTimesteps(CFGDenoiser):
    mask_before_denoising = True


class CompVisTimestepsDenoiser(CFGDenoiserTimesteps):
    pass


class CompVisTimestepsVDenoiser(CFGDenoiserTimesteps):
    pass


class CompVisSampler(Sampler):
    def __init__(self, funcname, sd_model=None):
        super().__init__(funcname if isinstance(funcname, str) else getattr(funcname, "__name__", "DDIM"), sd_model)
        self.model_wrap_cfg = CFGDenoiserTimesteps(self)


VanillaStableDiffusionSampler = CompVisSampler
