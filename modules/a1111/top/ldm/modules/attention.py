"""The attention layers of the UNet."""

from __future__ import annotations

from diffusers.models.attention import FeedForward  # noqa: F401

from ldm.util import default, exists  # noqa: F401
from modules.a1111.engine.layers import (  # noqa: F401
    BasicTransformerBlock,
    CrossAttention,
    MemoryEfficientCrossAttention,
    SpatialTransformer,
)
from modules.a1111.missing import refusing

__getattr__ = refusing("ldm.modules.attention")
