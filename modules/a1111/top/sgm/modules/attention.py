"""The attention layers of the UNet: the same as ldm's."""

from __future__ import annotations

from ldm.modules.attention import *  # noqa: F403
from ldm.modules.attention import BasicTransformerBlock, CrossAttention, SpatialTransformer  # noqa: F401

from modules.a1111.missing import refusing

__getattr__ = refusing("sgm.modules.attention")
