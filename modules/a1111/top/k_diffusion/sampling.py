"""What samplers of extensions are made of. Source: Karras et al. (2022), arXiv:2206.00364."""

from __future__ import annotations

import torch

from k_diffusion import utils
from k_diffusion.utils import append_dims  # noqa: F401
from modules.a1111.missing import refusing


def append_zero(x):
    return torch.cat([x, x.new_zeros([1])])


def to_d(x, sigma, denoised):
    """The derivative dx/dsigma of the probability flow."""
    return (x - denoised) / utils.append_dims(sigma, x.ndim)


def get_ancestral_step(sigma_from, sigma_to, eta=1.0):
    """(sigma_down, sigma_up): how far to walk, and how much fresh noise brings that to `sigma_to`."""
    if not eta:
        return sigma_to, 0.0
    up = min(sigma_to, eta * (sigma_to**2 * (sigma_from**2 - sigma_to**2) / sigma_from**2) ** 0.5)
    return (sigma_to**2 - up**2) ** 0.5, up


def default_noise_sampler(x):
    return lambda sigma, sigma_next: torch.randn_like(x)


def get_sigmas_karras(n, sigma_min, sigma_max, rho=7.0, device="cpu"):
    from modules.diffusion.schedules import SCHEDULES

    return SCHEDULES["karras"].build(n, float(sigma_min), float(sigma_max), rho=rho).to(device)


__getattr__ = refusing("k_diffusion.sampling")
