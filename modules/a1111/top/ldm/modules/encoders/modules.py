"""The classes of text encoders, for those who ask which one a model has."""

from __future__ import annotations

from modules.a1111.missing import refusing
from modules.a1111.text_encoders import FrozenCLIPEmbedder, FrozenOpenCLIPEmbedder  # noqa: F401

__getattr__ = refusing("ldm.modules.encoders.modules")
