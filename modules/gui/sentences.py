"""What the core says, which speaks English, in the language of the reader.

`locale/sentences.<language>.json` holds the sentences that people meet most, as templates: "The {kind} {name} is not
here." Those that no template knows are shown as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from modules.gui import i18n

_FOLDER: Final = Path(__file__).parent / "locale"
_PLACE: Final = re.compile(r"\\\{(\w+)\\\}")
# Kinds of models that a sentence may be about -> the key of their name.
_KINDS: Final = {
    "checkpoint": "page.kind.checkpoint",
    "VAE": "page.kind.VAE",
    "LoRA": "page.kind.LoRA",
    "embedding": "page.kind.embedding",
    "hypernetwork": "page.kind.hypernetwork",
}


@cache
def templates(language: str) -> Mapping[str, str]:
    """English template -> template of `language`."""
    path = _FOLDER / f"sentences.{language}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """The templates as patterns; those with more words of their own first: they say it more exactly."""
    own = re.compile(r"\{\w+\}")
    known = sorted(templates(language).items(), key=lambda item: len(own.sub("", item[0])), reverse=True)
    return tuple(
        (re.compile(_PLACE.sub(lambda place: f"(?P<{place[1]}>.+?)", re.escape(english)), re.DOTALL), text)
        for english, text in known
    )


def in_language(sentence: str, language: str, depth: int = 3) -> str:
    """`sentence` of the core in `language`. Sentences quoted inside of it are translated, too, `depth` deep."""
    if language == i18n.FALLBACK or not depth:
        return sentence
    for pattern, text in _patterns(language):
        found = pattern.fullmatch(sentence)
        if found:
            said = {name: _quoted(name, value, language, depth) for name, value in found.groupdict().items()}
            return text.format(**said)
    return sentence


def _quoted(name: str, value: str, language: str, depth: int) -> str:
    if name == "kind" and value in _KINDS:
        return i18n.say(_KINDS[value], language)
    return in_language(value, language, depth - 1)
