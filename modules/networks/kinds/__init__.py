"""The kinds of network, one file each: a file in this folder with a `KIND` in it is one."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from modules.networks.kind import NetworkKind

_added: list[NetworkKind] = []


def known_kinds() -> tuple[NetworkKind, ...]:
    """Every kind: those that were added, then the studio's own, of which no two recognise the same keys."""
    return (*_added, *_own())


def add_kind(kind: NetworkKind) -> None:
    """Makes another kind known; one of the same name is replaced."""
    _added[:] = [kind, *(one for one in _added if one.name != kind.name)]


@lru_cache(maxsize=1)
def _own() -> tuple[NetworkKind, ...]:
    return tuple(import_module(f"{__name__}.{found.name}").KIND for found in iter_modules(__path__))
