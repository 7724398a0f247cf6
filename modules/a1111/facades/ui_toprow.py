"""The row of prompts at the top of a tab."""

from __future__ import annotations

from modules.a1111.missing import refusing


class Toprow:
    """Kept for isinstance; the studio's tabs have their own."""


__getattr__ = refusing("modules.ui_toprow")
