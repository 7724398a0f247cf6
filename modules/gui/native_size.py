"""The size that a checkpoint was trained for: what a form without a draft starts with."""

from __future__ import annotations

import re

from modules.gui.needs import Studio
from modules.terms.errors import NotFound

# The key that trainers agreed on ("1024x1024"), and that of the built-in model ("256").
_KEYS = ("modelspec.resolution", "size")
_SIZE = re.compile(r"(\d{2,4})(?:\s*x\s*(\d{2,4}))?")


def native_size(studio: Studio) -> tuple[int, int] | None:
    """(width, height) of the chosen checkpoint, None if it does not say or there is none."""
    try:
        info, _ = studio.library.find_or_first(studio.settings["sd_model_checkpoint"])
    except NotFound:
        return None
    for key in _KEYS:
        found = _SIZE.fullmatch(str(info.metadata.get(key, "")).strip())
        if found:
            return int(found[1]), int(found[2] or found[1])
    return None
