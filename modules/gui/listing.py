"""The lists that a choice may offer: the studio's, and those that only the page knows."""

from __future__ import annotations

from collections.abc import Callable

from modules.gui.arrangement import CATEGORIES, TITLES
from modules.gui.needs import Studio
from modules.terms.errors import NotFound


def listing_of(studio: Studio, *, hiding: bool = False) -> Callable[[str], list[str]]:
    """`listing(name)`: what the studio offers under that name, and the page's own: "settings", "tabs", "ui_categories".

    `hiding` leaves out the samplers that the user does not want to see.
    """

    def listing(name: str) -> list[str]:
        if name == "settings":
            return list(studio.settings.catalogue)
        if name == "tabs":
            return list(TITLES.values())
        if name == "ui_categories":
            return list(CATEGORIES)
        try:
            offered = studio.listing(name)
        except NotFound:
            # A setting may offer what no part of the studio knows yet.
            return []
        hidden = studio.settings["hide_samplers"] if hiding and name == "samplers" else ()
        return [entry for entry in offered if entry not in hidden]

    return listing
