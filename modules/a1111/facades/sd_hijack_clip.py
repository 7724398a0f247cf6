"""Classes that extensions derive from or compare with; the studio's encoders stand in modules.sd_hijack."""

from __future__ import annotations

from modules.a1111.missing import refusing
from modules.a1111.text_encoders import PromptChunk, TextEncoder, TextEncoders  # noqa: F401


class TextConditionalModel(TextEncoders):
    pass


class FrozenCLIPEmbedderWithCustomWordsBase(TextConditionalModel):
    pass


class FrozenCLIPEmbedderWithCustomWords(FrozenCLIPEmbedderWithCustomWordsBase):
    pass


class FrozenCLIPEmbedderForSDXLWithCustomWords(FrozenCLIPEmbedderWithCustomWords):
    pass


__getattr__ = refusing("modules.sd_hijack_clip")
