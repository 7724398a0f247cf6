"""What A1111 does to imports, nobody needs here."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.import_hook")
