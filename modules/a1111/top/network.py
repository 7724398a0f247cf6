"""`network`, A1111's built-in LoRA module."""

from __future__ import annotations

from modules.a1111.loras import Network, NetworkOnDisk  # noqa: F401
from modules.a1111.missing import refusing

__getattr__ = refusing("network")
