"""The classes of denoisers, for those who ask."""

from __future__ import annotations

from modules.sd_samplers_cfg_denoiser import InnerModel as CompVisDenoiser

from modules.a1111.missing import refusing


class CompVisVDenoiser(CompVisDenoiser):
    """Of models that predict v; no denoiser is one here."""


__getattr__ = refusing("k_diffusion.external")
