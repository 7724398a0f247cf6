"""The names of all samplers and schedules, for pages that are drawn before torch is there.

tests/diffusion/test_names.py holds them against the registries.
"""

from __future__ import annotations

SAMPLER_NAMES = (
    "DPM++ 2M",
    "DPM++ SDE",
    "DPM++ 2M SDE",
    "DPM++ 2M SDE Heun",
    "DPM++ 2S a",
    "DPM++ 3M SDE",
    "Euler a",
    "Euler",
    "LMS",
    "Heun",
    "DPM2",
    "DPM2 a",
    "DPM fast",
    "DPM adaptive",
    "Restart",
    "DDIM",
    "DDIM CFG++",
    "PLMS",
    "UniPC",
    "LCM",
    "Euler CFG++",
    "Euler a CFG++",
    "DPM++ 2M CFG++",
    "HeunPP2",
    "IPNDM",
    "IPNDM_V",
    "DEIS",
    "DDPM",
    "TCD",
    "SA-Solver",
    "Res multistep",
    "ER SDE",
    "Gradient estimation",
)

SCHEDULE_NAMES = (
    "Automatic",
    "Uniform",
    "Karras",
    "Exponential",
    "Polyexponential",
    "SGM Uniform",
    "KL Optimal",
    "Align Your Steps",
    "Simple",
    "Normal",
    "DDIM",
    "Beta",
    "Turbo",
    "Align Your Steps GITS",
    "Align Your Steps 11",
    "Align Your Steps 32",
    "Linear-quadratic",
    "Laplace",
)
