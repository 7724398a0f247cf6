"""What the chosen checkpoint is best drawn with: the fields follow it where nobody set them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from modules.checkpoints.inspect import FileReport, inspect_file
from modules.gui.native_size import native_size
from modules.gui.needs import Studio
from modules.terms.errors import NotFound, WebuiError


def family_defaults(studio: Studio) -> dict[str, Any]:
    """What the page asks of the chosen checkpoint.

    family: its name, "" if there is no checkpoint or nothing tells. values: field -> value. distilled: whether the
    family is told a guidance scale of its own. edits: whether it follows the picture as InstructPix2Pix does. apply:
    whether fields shall follow.
    """
    report = _report(studio)
    values = dict(report.defaults) if report else {}
    size = native_size(studio)
    if size:
        values["width"], values["height"] = size
    distilled = values.get("distilled_cfg_scale") is not None
    if not distilled:
        values.pop("distilled_cfg_scale", None)
    return {
        "family": report.base if report else "",
        "values": values,
        "distilled": distilled,
        "edits": report is not None and report.variant == "edit",
        "apply": bool(studio.settings["family_defaults"]),
    }


def _report(studio: Studio) -> FileReport | None:
    try:
        info, _ = studio.library.find_or_first(studio.settings["sd_model_checkpoint"])
        stamp = info.path.stat()
        return _inspected(info.path, stamp.st_mtime_ns, stamp.st_size)
    except (NotFound, OSError):
        return None


@lru_cache(maxsize=64)
def _inspected(path: Path, modified: int, size: int) -> FileReport | None:
    try:
        return inspect_file(path)
    except WebuiError:
        return None  # whoever draws with it is told what is wrong
