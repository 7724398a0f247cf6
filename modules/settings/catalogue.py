"""Which settings there are: those of the studio, and those that extensions add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from modules.settings.setting import Section, Setting, in_order_of_display
from modules.terms.errors import NotFound
from modules.terms.registry import nearest


class Catalogue(Mapping[str, Setting]):
    """Key -> Setting, in the order of display. Unchangeable; `extended` returns a larger one."""

    def __init__(self, settings: Iterable[Setting]) -> None:
        """Raises: ValueError if a key comes twice."""
        self._by_key: dict[str, Setting] = {}
        for one in settings:
            if one.key in self._by_key:
                raise ValueError(f"There are two settings called {one.key!r}.")
            self._by_key[one.key] = one

    def extended(self, settings: Iterable[Setting]) -> Catalogue:
        """A copy with `settings`; one whose key is known already takes the place of that one."""
        merged = {**self._by_key, **{one.key: one for one in settings}}
        return Catalogue(in_order_of_display(merged.values()))

    def find(self, key: str) -> Setting:
        """The setting called `key`. Raises: NotFound naming the nearest."""
        if key in self._by_key:
            return self._by_key[key]
        close = nearest(key, self._by_key)
        raise NotFound(f"There is no setting called {key!r}." + (f" Did you mean {close!r}?" if close else ""))

    def sections(self) -> dict[Section, tuple[Setting, ...]]:
        """The pages of the Settings tab in order, each with its settings; hidden ones are left out."""
        pages: dict[Section, list[Setting]] = {}
        for one in self._by_key.values():
            if one.section.id:
                pages.setdefault(one.section, []).append(one)
        return {page: tuple(settings) for page, settings in pages.items()}

    def by_infotext(self) -> dict[str, Setting]:
        """Name inside pictures -> setting, for those that are restored from there."""
        return {one.infotext: one for one in self._by_key.values() if one.infotext}

    def __getitem__(self, key: str) -> Setting:
        return self._by_key[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)
