"""Only models of another engine read this."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.xlmr")
