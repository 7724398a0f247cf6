"""Which LoRAs are of no use with the chosen checkpoint, so that their cards need not stand in the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modules.checkpoints.inspect import inspect_file
from modules.terms.errors import NotFound, WebuiError

if TYPE_CHECKING:
    from modules.studio.studio import Studio

# How trainers, and we, write what a network or a checkpoint is made for -> its name in A1111's settings, or our own.
_VERSIONS: Final = (
    (re.compile(r"sd[_ -]?xl|stable-diffusion-xl|\bxl\b"), "SDXL"),
    (re.compile(r"sd[_ -]?v?3|stable-diffusion-v?3"), "SD3"),
    (re.compile(r"sd[_ -]?v?2|stable-diffusion-v?2"), "SD2"),
    (re.compile(r"sd[_ -]?v?1|stable-diffusion-v?1"), "SD1"),
    (re.compile(r"flux"), "FLUX"),
)


def version_of(base: str) -> str:
    """ "SD1", "SD2", "SDXL" … of what a file says it is made for; "" if that tells nothing."""
    text = base.lower()
    return next((version for pattern, version in _VERSIONS if pattern.search(text)), "")


def fitting(studio: Studio) -> Callable[[str], bool]:
    """`fits(base)`: whether a LoRA that says it is made for `base` is shown with the checkpoint of the settings."""
    settings = studio.settings
    chosen = "" if settings["lora_show_all"] else _chosen(studio)
    if not chosen:
        return lambda base: True
    silent = chosen not in settings["lora_hide_unknown_for_versions"]
    return lambda base: version == chosen if (version := version_of(base)) else silent


def _chosen(studio: Studio) -> str:
    try:
        info, _ = studio.library.find_or_first(studio.settings["sd_model_checkpoint"])
        stamp = info.path.stat()
    except (NotFound, OSError):
        return ""
    return version_of(_base(info.path, stamp.st_mtime_ns, stamp.st_size))


@lru_cache(maxsize=64)
def _base(path: Path, modified: int, size: int) -> str:
    try:
        return inspect_file(path).base
    except WebuiError:
        return ""  # whoever draws with it is told what is wrong
