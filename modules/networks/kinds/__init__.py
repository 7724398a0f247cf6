"""The kinds of network, one file each: a file in this folder with a `KIND` in it is one."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from modules.networks.kind import NetworkKind


@lru_cache(maxsize=1)
def known_kinds() -> tuple[NetworkKind, ...]:
    """Every kind. No two recognise the same keys, so the order means nothing."""
    return tuple(import_module(f"{__name__}.{found.name}").KIND for found in iter_modules(__path__))
