"""`webui`, the script that starts A1111."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("webui")
