"""Names that extensions derive from; see `sd_samplers_cfg_denoiser`."""

from __future__ import annotations

from modules.sd_samplers import samplers_k_diffusion  # noqa: F401
from modules.sd_samplers import samplers_k_diffusion as samplers_data_k_diffusion  # noqa: F401
from modules.sd_samplers_cfg_denoiser import CFGDenoiser
from modules.sd_samplers_common import Sampler


class CFGDenoiserKDiffusion(CFGDenoiser):
    pass


class KDiffusionSampler(Sampler):
    """Takes A1111's (funcname, sd_model, options)."""

    def __init__(self, funcname, sd_model=None, options=None):
        super().__init__(funcname if isinstance(funcname, str) else getattr(funcname, "__name__", "Euler"), sd_model)
        self.model_wrap_cfg = CFGDenoiserKDiffusion(self)
