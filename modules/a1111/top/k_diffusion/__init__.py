"""What extensions import of k-diffusion, over the studio's own samplers."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name in ("sampling", "external", "utils"):
        return importlib.import_module(f"k_diffusion.{name}")
    raise AttributeError(name)
