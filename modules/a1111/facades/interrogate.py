"""Pictures are described by shared.interrogator."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.interrogate")
