"""The families, one file each: a file in this folder with a `FAMILY` in it is one."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from modules.checkpoints.family import Families


@lru_cache(maxsize=1)
def known_families() -> Families:
    """Every family, in the order in which they are tried."""
    families = Families()
    for found in iter_modules(__path__):
        families.add(import_module(f"{__name__}.{found.name}").FAMILY)
    return families
