"""As `sd_hijack_clip`, for OpenCLIP."""

from __future__ import annotations

from modules.sd_hijack_clip import FrozenCLIPEmbedderWithCustomWordsBase

from modules.a1111.missing import refusing


class FrozenOpenCLIPEmbedderWithCustomWords(FrozenCLIPEmbedderWithCustomWordsBase):
    pass


class FrozenOpenCLIPEmbedder2WithCustomWords(FrozenCLIPEmbedderWithCustomWordsBase):
    pass


__getattr__ = refusing("modules.sd_hijack_open_clip")
