"""What Macs need is done by torch."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.mac_specific")
