"""Networks are made without weights by the studio."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.sd_disable_initialization")
