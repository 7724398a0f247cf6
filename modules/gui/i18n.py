"""Every sentence of the page in every language, by key.

The files `locale/<language>*.json` are flat: key -> text. English labels of knobs and settings are not repeated there:
they are declared where the knob is (`terms/request.py`, `settings/`), and their keys are made from their names.

  page.*                 fixed labels, hints and buttons          param.<Owner>.<field>        a knob of a request
  script.*               what the page's scripts say              setting.<key>[.help]         a setting
  notice.*               what the server answers to the page      section.<label>, category.<id>  headings of settings
  choice.<value>         one choice of a closed list      control.*                      the ControlNet panel
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import gradio as gr
from gradio.i18n import I18nData

from modules.generation.always_on import Outpainting, SoftInpainting
from modules.settings.setting import Section, Setting
from modules.terms.declare import Choice, Param, Text, params_of
from modules.terms.detail import DetailUnit
from modules.terms.extras import (
    AutoCrop,
    Captioning,
    FaceRepair,
    FlippedCopies,
    FocalCrop,
    SplitOversized,
    Upscaling,
)
from modules.terms.merging import ExtractRequest, MergeRequest
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

LANGUAGES: Final = ("en", "zh-CN")
FALLBACK: Final = "en"
_FOLDER = Path(__file__).parent / "locale"
_CHOICES = "choices"
_OWNERS = (
    *(GenerationRequest, Hires, Refiner, Source, Mask, DetailUnit, SoftInpainting, Outpainting),
    *(Upscaling, FaceRepair, SplitOversized, FocalCrop, AutoCrop, FlippedCopies, Captioning),
    *(MergeRequest, ExtractRequest),
)


@cache
def texts(language: str) -> Mapping[str, str]:
    """Key -> text of one of LANGUAGES, with the declared labels under the fallback language's."""
    written = written_texts(language)
    return {**declared(), **texts(FALLBACK), **written} if language != FALLBACK else {**declared(), **written}


def written_texts(language: str) -> dict[str, str]:
    """Key -> text of the files of one language: `<language>.json`, and `<language>.settings.json` beside it."""
    found: dict[str, str] = {}
    for path in sorted(_FOLDER.glob(f"{language}*.json")):
        found.update(json.loads(path.read_text(encoding="utf-8")))
    return found


@lru_cache(maxsize=1)
def declared() -> Mapping[str, str]:
    """The English texts that stand where a knob of a request is declared, by key."""
    return dict(_of_params())


def _of_params() -> Iterator[tuple[str, str]]:
    for owner in _OWNERS:
        for name, param in params_of(owner).items():
            yield param_key(owner, name), param.label
            if param.help:
                yield f"{param_key(owner, name)}.help", param.help
            if isinstance(param.control, Text) and param.control.placeholder:
                yield f"{param_key(owner, name)}.placeholder", param.control.placeholder
            yield from choice_texts(param)


def choice_texts(param: Param) -> Iterator[tuple[str, str]]:
    """Key -> English text of each word that a closed list offers; numbers need no translation."""
    if isinstance(param.control, Choice):
        for choice in param.control.choices:
            if isinstance(choice, str) and choice:
                yield f"choice.{choice}", choice


def param_key(owner: type, name: str) -> str:
    """The key of the label of field `name` of the dataclass `owner`."""
    return f"param.{owner.__name__}.{name}"


def setting_text(setting: Setting, language: str) -> tuple[str, str]:
    """Label and help of a setting. One that an extension added speaks its own language."""
    known = texts(language)
    key = f"setting.{setting.key}"
    return known.get(key, setting.label), known.get(f"{key}.help", setting.help)


def setting_label(setting: Setting) -> I18nData | str:
    """What a component for a setting takes as its label."""
    key = f"setting.{setting.key}"
    return I18nData(key) if any(key in texts(language) for language in LANGUAGES) else setting.label


def section_text(section: Section, language: str) -> tuple[str, str]:
    """The labels of a page of the Settings tab and of the heading it stands under ("" without one)."""
    known = texts(language)
    category = section.category
    heading = known.get(f"category.{category.id}", category.label) if category else ""
    return known.get(f"section.{section.label}", section.label), heading


def say(key: str, language: str, **values: object) -> str:
    """The text of `key`, with {names} filled in. Raises: KeyError for a key that no language has."""
    return texts(language if language in LANGUAGES else FALLBACK)[key].format(**values)


class Label(I18nData):
    """A text by its key. It equals its English words, by which extensions find a field."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, I18nData):
            return bool(self.key == other.key)
        return isinstance(other, str) and texts(FALLBACK)[self.key] == other

    def __hash__(self) -> int:
        return hash(texts(FALLBACK)[self.key])


def label(key: str) -> I18nData:
    """What a component takes as its label: the browser fills in the text. Raises: KeyError for an unknown key."""
    if key not in texts(FALLBACK):
        raise KeyError(f"no text for {key!r} in locale/{FALLBACK}.json")
    return Label(key)


def for_components(quick: Iterable[Setting] = ()) -> gr.I18n:
    """The texts that components ask for by key, in all languages; scripts get theirs with boot.js.

    `quick` are the settings that stand on the page as components.
    """
    settings = _of_settings(quick)
    return gr.I18n(
        **{
            language: {
                key: text
                for key, text in {**settings, **texts(language)}.items()
                if key.startswith(("page.", "param.", "choice.")) or key in settings
            }
            | _script_choices(language)
            for language in LANGUAGES
        }
    )


def _of_settings(settings: Iterable[Setting]) -> dict[str, str]:
    return {f"setting.{setting.key}": setting.label for setting in settings}


@cache
def other_words(language: str) -> Mapping[str, Mapping[str, str]]:
    """What others on the page say -> how it is said in `language`: "gradio", "scripts", the built-in ones, and
    "choices", the entries of their lists."""
    path = _FOLDER / f"others.{language}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def script_choice(english: str) -> I18nData | str:
    """What a list of a built-in script shows for its entry; `english` itself where no language has a word for it."""
    known = any(english in other_words(language).get(_CHOICES, ()) for language in LANGUAGES)
    return I18nData(f"{_CHOICES}.{english}") if known else english


def _script_choices(language: str) -> dict[str, str]:
    """Key -> text of all those entries; English where `language` has no word of its own."""
    english = {one for other in LANGUAGES for one in other_words(other).get(_CHOICES, ())}
    said = other_words(language).get(_CHOICES, {})
    return {f"{_CHOICES}.{one}": said.get(one, one) for one in sorted(english)}


def for_scripts(language: str) -> Mapping[str, str]:
    """The texts that the page's scripts use, without their prefix."""
    return {key.removeprefix("script."): text for key, text in texts(language).items() if key.startswith("script.")}


def choose(wanted: str, accept_language: str) -> str:
    """The language of the page: `wanted` (the setting) if it is one of ours, else the first of the browser's that is.

    `accept_language` is the header, "zh-TW,zh;q=0.9,en;q=0.8". Every Chinese gets the simplified one.
    """
    if wanted in LANGUAGES:
        return wanted
    ranked = sorted(_preferences(accept_language), key=lambda item: -item[1])
    for tag, _ in ranked:
        for language in LANGUAGES:
            if tag.lower().split("-")[0] == language.lower().split("-")[0]:
                return language
    return FALLBACK


def _preferences(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(","):
        tag, _, weight = part.strip().partition(";q=")
        if tag:
            try:
                yield tag, float(weight or 1)
            except ValueError:
                yield tag, 0.0
