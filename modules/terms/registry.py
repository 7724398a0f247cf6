"""Named things of one kind: samplers, schedules, upscalers. Looked up by label or alias; a miss names the nearest."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from modules.terms.errors import NotFound


class Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def aliases(self) -> tuple[str, ...]: ...


T = TypeVar("T", bound=Named)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that looks most like `name` (case ignored), None if nothing is close."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.4)
    return by_lower[close[0]] if close else None


class Registry(Generic[T]):
    """Entries in the order in which they were added; names and aliases are found whatever their case."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        self._by_alias: dict[str, T] = {}

    def add(self, entry: T) -> T:
        """`entry`, now registered. Raises: ValueError if its name or an alias is taken."""
        keys = [entry.name.lower(), *(alias.lower() for alias in entry.aliases)]
        taken = [key for key in keys if key in self._by_alias]
        if taken:
            raise ValueError(f"{self.kind} {entry.name!r}: the name {taken[0]!r} is taken.")
        self._entries[entry.name] = entry
        self._by_alias.update(dict.fromkeys(keys, entry))
        return entry

    def find(self, name: str) -> T | None:
        """The entry with this label or alias (case ignored), None if there is none."""
        return self._entries.get(name) or self._by_alias.get(name.strip().lower())

    def __getitem__(self, name: str) -> T:
        """The entry with this label or alias. Raises: NotFound naming the nearest."""
        entry = self.find(name)
        if entry is None:
            close = nearest(name, self._by_alias)
            hint = f" Did you mean {self._by_alias[close].name!r}?" if close else ""
            raise NotFound(f"There is no {self.kind} called {name!r}.{hint} Known: {', '.join(self._entries)}.")
        return entry

    def __iter__(self) -> Iterator[T]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)
