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
# Sentences about a model that is not here, to which the Models tab is the answer.
ABOUT_MISSING: Final = (
    "The {kind} {name} is not here.",
    "The {kind} {name} is not the one of the picture: its hash is {here}, the picture's {there}.",
    "Lora not found: {name}",
    "Hypernetwork not found: {name}",
    "The checkpoint {name} is not here; the present one stays.",
    "The VAE {name} is not here; the present one stays.",
    "There is no checkpoint yet. Put a .safetensors file into one of: {places}; then refresh.",
    "There is no checkpoint in the list: put one into its folder and refresh the list.",
    "There is no checkpoint called {name} among {count}.{hint}",
    "No checkpoint is called {name}: choose one of the list, or refresh it. The nearest is {near}.",
    "There is no text encoder or VAE called {name}.{hint}",
    "{name} is {family}, and lacks {missing}. Put the file there and refresh, or choose it under VAE / text encoders.",
    "There is no ControlNet model called {name}.{hint} There are {count}; they belong in {places}.",
    "{name} has no VAE inside. Put a VAE for {family} into models/VAE and choose it.",
)


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
    return tuple((_pattern(english), text) for english, text in known)


def _pattern(template: str) -> re.Pattern[str]:
    """What finds the sentences of `template`. A hint may be missing."""
    return re.compile(_PLACE.sub(_place, re.escape(template)), re.DOTALL)


def _place(place: re.Match[str]) -> str:
    return f"(?P<{place[1]}>.{'*' if place[1] == 'hint' else '+'}?)"


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
    return in_language(value.strip(), language, depth - 1)


def about_missing(sentence: str) -> bool:
    """Whether `sentence`, in any language of the page, is about a model that can be had and is not here."""
    return any(pattern.fullmatch(sentence) for pattern in _missing())


@cache
def _missing() -> tuple[re.Pattern[str], ...]:
    said = list(ABOUT_MISSING)
    others = [language for language in i18n.LANGUAGES if language != i18n.FALLBACK]
    said += [templates(language)[template] for language in others for template in ABOUT_MISSING]
    return tuple(_pattern(template) for template in said)
