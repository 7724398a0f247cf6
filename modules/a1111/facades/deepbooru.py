"""Tags of a picture, by the studio's tagger of that name."""

from __future__ import annotations

import re

from modules.a1111.bound import bound
from modules.a1111.missing import refusing

re_special = re.compile(r"([\\()])")


class DeepDanbooru:
    def __init__(self):
        self.model = None

    def load(self):
        """Models are loaded when they are asked."""

    start = stop = load

    def tag(self, pil_image):
        """Tags, joined by commas. Raises: NotFound saying which file is missing."""
        return bound().studio.caption(pil_image, "deepdanbooru")

    tag_multi = tag


model = DeepDanbooru()

__getattr__ = refusing("modules.deepbooru")
