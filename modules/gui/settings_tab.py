"""The Settings tab: every declared setting as JSON; static/settings.js draws the fields.

Own fields and not Gradio components: three hundred components would be two thirds of the page's weight, and search,
"changed" marks and resetting one value need the fields in hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modules.gui import i18n
from modules.gui.described import described_control, plain
from modules.gui.needs import Studio
from modules.gui.widgets import Listing, frame
from modules.settings.idle import IDLE
from modules.settings.setting import Section, Setting
from modules.terms.declare import Choice


def build() -> None:
    """The empty frame that static/settings.js fills when the tab is opened for the first time."""
    frame('<div id="settings" class="settings-root own-fields"></div>', elem_id="settings_frame")


def describe(studio: Studio, listing: Listing, language: str) -> dict[str, Any]:
    """What the tab shows: its pages in order, each with heading, label and settings (value, default, control)."""
    pages = []
    ids = _ids(list(studio.settings.catalogue.sections()))
    for section, settings in studio.settings.catalogue.sections().items():
        text, heading = i18n.section_text(section, language)
        pages.append(
            {
                "id": ids[section],
                "label": text,
                "heading": heading,
                "settings": [_described(studio, listing, setting, language) for setting in settings],
            }
        )
    return {"pages": pages}


def _ids(sections: Sequence[Section]) -> dict[Section, str]:
    """What an element of each is called. Two of A1111's have the id "ui": the last, User interface, keeps it."""
    found: dict[Section, str] = {}
    for section in reversed(sections):
        taken = section.id in found.values()
        found[section] = f"{section.id}_{section.label.lower().replace(' ', '_')}" if taken else section.id
    return found


def _described(studio: Studio, listing: Listing, setting: Setting, language: str) -> dict[str, Any]:
    text, help_text = i18n.setting_text(setting, language)
    return {
        "key": setting.key,
        "label": text,
        # What A1111 calls it, so that a guide written in English can be followed in any language.
        "english": setting.label,
        "help": help_text,
        "value": plain(studio.settings[setting.key]),
        "default": plain(setting.default),
        "reload": setting.reload,
        "idle": setting.key in IDLE,
        "control": _control(studio, listing, setting, language),
    }


def _control(studio: Studio, listing: Listing, setting: Setting, language: str) -> dict[str, Any]:
    """The field of a setting; a list of settings says their labels beside their keys, by which guides go."""
    told = dict(described_control(setting.control, listing, i18n.texts(language)))
    if isinstance(setting.control, Choice) and setting.control.listing == "settings":
        known = studio.settings.catalogue
        told["choices"] = [[key, f"{i18n.setting_text(known[key], language)[0]} ({key})"] for key, _ in told["choices"]]
    return told
