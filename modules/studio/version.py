"""Which Atelier this is."""

from __future__ import annotations

VERSION = "0.1.0"
INFOTEXT_VERSION = f"Atelier {VERSION}"
