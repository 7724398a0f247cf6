"""The UNet and its blocks: the same as ldm's."""

from __future__ import annotations

from ldm.modules.diffusionmodules.openaimodel import *  # noqa: F403
from ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: F401

from modules.a1111.missing import refusing

__getattr__ = refusing("sgm.modules.diffusionmodules.openaimodel")
