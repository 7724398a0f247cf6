"""Every preprocessor, one file per kind. A new one is an entry in its file's table."""

from __future__ import annotations

from collections.abc import Iterable

from modules.control.preprocessor import Preprocessor
from modules.control.preprocessors.absent import ABSENT
from modules.control.preprocessors.depth import DEPTH
from modules.control.preprocessors.lines import LINES
from modules.control.preprocessors.plain import PLAIN
from modules.control.preprocessors.tones import TONES
from modules.terms.registry import Registry


def registered(entries: Iterable[Preprocessor]) -> Registry[Preprocessor]:
    registry: Registry[Preprocessor] = Registry("preprocessor")
    for entry in entries:
        registry.add(entry)
    return registry


PREPROCESSORS = registered((*PLAIN, *LINES, *TONES, *DEPTH, *ABSENT))
