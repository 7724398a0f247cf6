"""How brackets count is a setting."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.sd_emphasis")
