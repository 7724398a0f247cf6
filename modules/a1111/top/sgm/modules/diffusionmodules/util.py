"""Helpers around the UNet's layers: the same as ldm's."""

from __future__ import annotations

from ldm.modules.diffusionmodules.util import *  # noqa: F403
from ldm.modules.diffusionmodules.util import timestep_embedding  # noqa: F401

from modules.a1111.missing import refusing

__getattr__ = refusing("sgm.modules.diffusionmodules.util")
