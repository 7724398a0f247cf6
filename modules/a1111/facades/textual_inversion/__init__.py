"""Parts of it are imported when somebody reaches for them."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        return importlib.import_module(f"modules.textual_inversion.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(f"module 'modules.textual_inversion' has no attribute {name!r}") from error
