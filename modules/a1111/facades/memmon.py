"""`MemUsageMonitor`: memory of the device."""

from __future__ import annotations

from modules.a1111.missing import refusing
from modules.a1111.progress import MemoryMonitor


class MemUsageMonitor(MemoryMonitor):
    def __init__(self, name="MemMon", device=None, opts=None):
        self.name, self.device, self.opts = name, device, opts


__getattr__ = refusing("modules.memmon")
