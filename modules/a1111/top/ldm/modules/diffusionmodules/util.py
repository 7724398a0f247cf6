"""Helpers around the UNet's layers. Source: Ho et al. (2020), arXiv:2006.11239, and Vaswani et al. (2017)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from modules.a1111.missing import refusing

GroupNorm32 = nn.GroupNorm


def timestep_embedding(timesteps, dim, max_period=10000, repeat_only=False):
    """(B, dim): cosines, then sines, of the timesteps (B,) at frequencies that fall from 1 to 1 / max_period."""
    if repeat_only:
        return timesteps[:, None].repeat(1, dim)
    half = dim // 2
    frequencies = torch.exp(-math.log(max_period) * torch.arange(half, dtype=torch.float32) / half)
    angles = timesteps[:, None].float() * frequencies.to(timesteps.device)[None]
    waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return torch.cat([waves, torch.zeros_like(waves[:, :1])], dim=-1) if dim % 2 else waves


def make_beta_schedule(schedule, n_timestep, linear_start=1e-4, linear_end=2e-2, cosine_s=8e-3):
    """(T,): how much noise each step adds. Raises: ValueError for a schedule that is not "linear"."""
    if schedule != "linear":
        raise ValueError(f"The schedule {schedule!r} is not offered here, only 'linear'.")
    return (torch.linspace(linear_start**0.5, linear_end**0.5, n_timestep, dtype=torch.float64) ** 2).numpy()


def make_ddim_timesteps(ddim_discr_method, num_ddim_timesteps, num_ddpm_timesteps, verbose=True):
    """(S,): the timesteps of DDIM, evenly apart, from 1. Raises: ValueError for a method that is not "uniform"."""
    if ddim_discr_method != "uniform":
        raise ValueError(f"The method {ddim_discr_method!r} is not offered here, only 'uniform'.")
    return np.arange(0, num_ddpm_timesteps, num_ddpm_timesteps // num_ddim_timesteps) + 1


def make_ddim_sampling_parameters(alphacums, ddim_timesteps, eta, verbose=True):
    """(sigmas, alphas, alphas of the steps before), (S,) each. Source: Song et al. (2021), arXiv:2010.02502, eq. 16."""
    alphas = alphacums[ddim_timesteps]
    before = np.asarray([alphacums[0], *alphacums[ddim_timesteps[:-1]]])
    sigmas = eta * np.sqrt((1 - before) / (1 - alphas) * (1 - alphas / before))
    return sigmas, alphas, before


def extract_into_tensor(a, t, x_shape):
    """The entries of `a` at `t` (B,), shaped so that they multiply (B, ...)."""
    return a.gather(-1, t).reshape(len(t), *(1,) * (len(x_shape) - 1))


def noise_like(shape, device, repeat=False):
    if repeat:
        return torch.randn((1, *shape[1:]), device=device).repeat(shape[0], *(1,) * (len(shape) - 1))
    return torch.randn(shape, device=device)


def zero_module(module):
    """`module` with all its weights zero."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def conv_nd(dims, *args, **kwargs):
    return {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims](*args, **kwargs)


def avg_pool_nd(dims, *args, **kwargs):
    return {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}[dims](*args, **kwargs)


def linear(*args, **kwargs):
    return nn.Linear(*args, **kwargs)


def normalization(channels):
    return GroupNorm32(32, channels)


def checkpoint(func, inputs, params, flag):
    """`func` of the inputs: nothing is trained here, so nothing need be computed twice."""
    return func(*inputs)


__getattr__ = refusing("ldm.modules.diffusionmodules.util")
