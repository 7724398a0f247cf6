"""Drawing as a function; extensions call it to run what the page would."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.img2img")
