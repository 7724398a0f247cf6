"""The Models tab: what is this file, and downloads; static/models.js and static/downloads.js draw it."""

from __future__ import annotations

from modules.gui.widgets import frame


def build() -> None:
    """The empty frame that the scripts fill when the tab is opened for the first time."""
    frame('<div id="models" class="models-root own-fields own-buttons"></div>', elem_id="models_frame")
