"""The UNet and its blocks."""

from __future__ import annotations

from ldm.modules.attention import SpatialTransformer  # noqa: F401
from ldm.modules.diffusionmodules.util import (  # noqa: F401
    conv_nd,
    linear,
    normalization,
    timestep_embedding,
    zero_module,
)
from ldm.util import exists  # noqa: F401
from modules.a1111.engine.layers import Downsample, ResBlock, TimestepBlock, Upsample  # noqa: F401
from modules.a1111.engine.unet import TimestepEmbedSequential, UNetModel  # noqa: F401
from modules.a1111.missing import refusing

__getattr__ = refusing("ldm.modules.diffusionmodules.openaimodel")
