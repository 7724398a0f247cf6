"""The Extensions tab; static/extensions.js draws it when it is first opened."""

from __future__ import annotations

from modules.gui.widgets import frame


def build() -> None:
    """The empty frame."""
    frame('<div id="extensions" class="extensions-root own-fields own-buttons"></div>', elem_id="extensions_frame")
