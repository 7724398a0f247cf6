"""The order of scripts and callbacks: as registered, bent by "Before", "After" and "Requires" of metadata.ini.

Source: spec/extensions.md §2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def in_order(names: Sequence[str], after: Mapping[str, Iterable[str]]) -> list[str]:
    """`names` so that each stands behind those that `after` names for it; else as they come.

    Names that are not there and circles are passed over.
    """
    known = set(names)
    placed: dict[str, None] = {}
    visiting: set[str] = set()

    def place(name: str) -> None:
        if name in placed or name in visiting or name not in known:
            return
        visiting.add(name)
        for earlier in after.get(name, ()):
            place(earlier)
        visiting.discard(name)
        placed[name] = None

    for name in names:
        place(name)
    return list(placed)


def wishes(befores: Mapping[str, Iterable[str]], afters: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Name -> the names it stands behind, from what stands before and after what."""
    merged: dict[str, list[str]] = {name: list(others) for name, others in afters.items()}
    for name, others in befores.items():
        for other in others:
            merged.setdefault(other, []).append(name)
    return merged


def prioritized(names: Sequence[str], first: Sequence[str]) -> list[str]:
    """`names` with those in `first` moved to the front, in that order."""
    front = [name for name in first if name in names]
    return [*front, *(name for name in names if name not in front)]
