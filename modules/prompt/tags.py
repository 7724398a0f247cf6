"""The tags that a model was trained with, from lists in the form that booru sites' users share: who types a beginning
gets the most frequent tags that it may mean.

A list is CSV without a headline: `name,type,count,"alias,alias"`; all but the name may be missing.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Begin a name and an alias in the text that is searched; no tag holds them.
_NAME, _ALIAS = "\n", "\t"
# Letters by which beginnings are sorted: what is the same so far is told apart while searching.
_SORTED_BY = 24


@dataclass(frozen=True)
class Tag:
    """`kind`: the list's number (0 general, 1 artist, 3 copyright, 4 character, 5 meta on most sites). `count`:
    pictures that have it. `alias`: the other name by which it was found, "" if by its own."""

    name: str
    kind: int
    count: int
    alias: str = ""


class TagIndex:
    """Tags by any beginning of their names, aliases and the words in them.

    All names stand in one text in the order of frequency. Beside it are the places where a name or alias begins, and
    where a word inside one does, sorted by what stands there: a search is a bisection and the least of some numbers.
    """

    def __init__(self, rows: Iterable[tuple[Tag, Sequence[str]]] = ()) -> None:
        """Of a tag that comes twice the first counts."""
        named: dict[str, tuple[Tag, Sequence[str]]] = {}
        for tag, aliases in rows:
            named.setdefault(tag.name, (tag, aliases))
        ordered = sorted(named.values(), key=lambda row: -row[0].count)
        self._tags = tuple(tag for tag, _ in ordered)
        lines = [_NAME + _ALIAS.join((tag.name, *aliases)) for tag, aliases in ordered]
        self._text = "".join(lines) + _NAME
        self._searched = folded(self._text)
        self._starts = np.cumsum([0, *map(len, lines)])[:-1]
        self._begins = self._sorted(match.end() for match in re.finditer(r"[\n\t]", self._searched[:-1]))
        # Scripts without blanks: a word may begin at every letter.
        inside = re.finditer(r"(?<=[_(\-])\w|(?<=\w)[\u3040-\u9fff\uac00-\ud7af]", self._searched)
        self._inside = self._sorted(match.start() for match in inside)

    def __len__(self) -> int:
        return len(self._tags)

    def search(self, text: str, limit: int = 20) -> list[Tag]:
        """At most `limit` tags: those that are called so, then those whose name or an alias begins with `text`, by
        frequency, then those with a word that begins so. Blanks and "_" are the same, and so are cases."""
        wanted = folded(text.strip()).replace(" ", "_")
        if not wanted or limit <= 0:
            return []
        found = self._hits(self._begins, wanted, limit)
        best = sorted(found, key=lambda row: (folded(self._tags[row].name) != wanted, row))
        if len(best) < limit:
            inside = self._hits(self._inside, wanted, limit)
            best += [row for row in inside if row not in found]
            found = {**inside, **found}
        return [replace(self._tags[row], alias=found[row]) for row in best[:limit]]

    def _sorted(self, places: Iterable[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in the order of what stands there, and the rows that they are in."""
        text = self._searched
        order = np.array(sorted(places, key=lambda place: text[place : place + _SORTED_BY]), np.int64)
        return order, np.searchsorted(self._starts, order, side="right") - 1

    def _hits(self, places: tuple[NDArray[np.int64], NDArray[np.int64]], wanted: str, limit: int) -> dict[int, str]:
        """Row -> the alias in which `wanted` was found, "" for the name, for the first `limit` rows; in their order."""
        order, rows = places
        length = min(len(wanted), _SORTED_BY)

        def begin(place: int) -> str:
            return self._searched[place : place + length]

        low = bisect_left(order, wanted[:length], key=begin)
        high = bisect_right(order, wanted[:length], lo=low, key=begin)
        hits: dict[int, str] = {}
        # Rows may come several times, under their name and aliases.
        for at in _least(rows[low:high], limit * 8) + low:
            place, row = int(order[at]), int(rows[at])
            if self._searched.startswith(wanted, place):
                alias = self._alias_at(place, row)
                if row in hits:
                    hits[row] = hits[row] and alias  # by its own name rather than by another
                elif len(hits) < limit:
                    hits[row] = alias
        return hits

    def _alias_at(self, place: int, row: int) -> str:
        begin = self._text.rfind(_ALIAS, int(self._starts[row]), place)
        if begin < 0:
            return ""
        end = min(at for sign in (_NAME, _ALIAS) if (at := self._text.find(sign, place)) >= 0)
        return self._text[begin + 1 : end]


def _least(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Where the `count` least of `rows` stand, in their order."""
    if len(rows) > count:
        chosen = np.argpartition(rows, count)[:count]
        return chosen[np.argsort(rows[chosen], kind="stable")]
    return np.argsort(rows, kind="stable")


def folded(text: str) -> str:
    """`text` in small letters, of the same length: places in one are places in the other."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(low if len(low := one.lower()) == 1 else one for one in text)


def read_tags(path: Path) -> Iterator[tuple[Tag, tuple[str, ...]]]:
    """Each tag of a list with its aliases. Lines without a name, and a headline, are passed over.

    Raises: OSError, UnicodeDecodeError, csv.Error.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file)):
            name = _cell(row, 0)
            if not name or (number == 0 and name.lower() in ("name", "tag")):
                continue
            aliases = (alias.strip() for alias in _cell(row, 3).replace(_ALIAS, " ").replace(_NAME, " ").split(","))
            yield Tag(name, _whole(_cell(row, 1)), _whole(_cell(row, 2))), tuple(filter(None, aliases))


def _cell(row: Sequence[str], index: int) -> str:
    return row[index].strip() if index < len(row) else ""


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0
