"""Reports that say whether somebody changed them: JSON with a checksum of itself, as A1111's sysinfo has it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

KEY: Final = "Checksum"
_PLACE: Final = "0" * 64
_FOUND: Final = re.compile(rf'"{KEY}": "([0-9a-f]{{64}})"')


def signed(report: Mapping[str, Any]) -> str:
    """`report` as JSON with its checksum, which is taken with zeros in its place."""
    blank = json.dumps({KEY: _PLACE, **report}, indent=4, default=str)
    return blank.replace(_PLACE, _digest(blank), 1)


def is_whole(text: str) -> bool:
    """Whether `text` is a report as it was written, with nothing changed since."""
    text = text.replace("\r\n", "\n").strip()
    found = _FOUND.search(text)
    return found is not None and _digest(text[: found.start(1)] + _PLACE + text[found.end(1) :]) == found[1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
