"""The values of one axis of a plot, as people write them: lists, ranges, steps, counts. Source: spec/features.md §9."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Sequence
from io import StringIO
from itertools import chain
from typing import Any

from modules.terms.errors import BadRequest

_INTEGER = r"([+-]?\s*\d+)"
_DECIMAL = r"([+-]?\s*\d+(?:\.\d*)?)"
INTEGERS = re.compile(rf"\s*{_INTEGER}\s*-\s*{_INTEGER}(?:\s*\(([+-]\d+)\s*\)|\s*\[(\d+)\s*\])?\s*")
DECIMALS = re.compile(rf"\s*{_DECIMAL}\s*-\s*{_DECIMAL}(?:\s*\(([+-]\d+(?:\.\d*)?)\s*\)|\s*\[(\d+)\s*\])?\s*")
MOST_VALUES = 10_000


def listed(text: str) -> list[str]:
    """The entries of a list with commas or lines between them; one in quotes may have commas inside."""
    rows = csv.reader(StringIO(text), skipinitialspace=True)
    return [entry.strip() for entry in chain.from_iterable(rows) if entry.strip()]


def as_list(entries: Sequence[str]) -> str:
    """What `listed` reads as these entries."""
    written = StringIO()
    csv.writer(written, lineterminator="").writerow(entries)
    return written.getvalue().replace(",", ", ") if not any("," in entry for entry in entries) else written.getvalue()


def integers(entries: Sequence[str], axis: str) -> list[int]:
    """The whole numbers that `entries` stand for: `3`, `1-5`, `1-5 (+2)` by step, `1-10 [5]` so many, spread evenly.

    A range by step runs up to its end and one further, whatever the step's sign, as A1111's does: 10-5 (-2) is 10, 8.
    Raises: BadRequest naming the axis and the entry.
    """
    found: list[int] = []
    for entry in entries:
        match = INTEGERS.fullmatch(entry)
        if match is None:
            found.append(_number(int, entry, axis))
            continue
        start, end = _plain(int, match[1]), _plain(int, match[2])
        if match[4]:
            found += [math.trunc(value) for value in _spread(start, end, int(match[4]), axis)]
        else:
            step = int(match[3]) if match[3] else 1
            found += _few(range(start, end + 1, _not_zero(step, entry, axis)), entry, axis)
    return found


def decimals(entries: Sequence[str], axis: str) -> list[float]:
    """As `integers`, for numbers with a fraction. A range by step has its end where a step meets it.

    Raises: BadRequest naming the axis and the entry.
    """
    found: list[float] = []
    for entry in entries:
        match = DECIMALS.fullmatch(entry)
        if match is None:
            found.append(_number(float, entry, axis))
            continue
        start, end = _plain(float, match[1]), _plain(float, match[2])
        if match[4]:
            found += _spread(start, end, int(match[4]), axis)
        else:
            step = _not_zero(float(match[3]) if match[3] else 1.0, entry, axis)
            count = max(0, math.ceil((end + step - start) / step))
            found += [start + step * number for number in _few(range(count), entry, axis)]
    return found


def typed(entries: Sequence[str], kind: Callable[[Any], Any], axis: str) -> list[Any]:
    """`entries` as the axis wants them: kind is int, float, or what makes a value of one entry. Raises: BadRequest."""
    if kind is int:
        return integers([str(entry) for entry in entries], axis)
    if kind is float:
        return decimals([str(entry) for entry in entries], axis)
    try:
        return [kind(entry) for entry in entries]
    except ValueError as error:
        raise BadRequest(f"{axis}: {', '.join(map(str, entries))} cannot be read: {error}.") from error


def _spread(start: float, end: float, count: int, axis: str) -> list[float]:
    if count > MOST_VALUES:
        raise BadRequest(f"{axis}: {count} values are too many for an axis.")
    if count == 1:
        return [float(start)]
    return [start + (end - start) * place / (count - 1) for place in range(count)]


def _few(values: range, entry: str, axis: str) -> range:
    if len(values) > MOST_VALUES:
        raise BadRequest(f"{axis}: {entry} are {len(values)} values, too many for an axis. Give a larger step.")
    return values


def _not_zero(step: Any, entry: str, axis: str) -> Any:
    if step == 0:
        raise BadRequest(f"{axis}: the step of {entry} is 0; it would never end.")
    return step


def _plain(kind: Callable[[str], Any], text: str) -> Any:
    return kind(re.sub(r"\s", "", text))


def _number(kind: Callable[[str], Any], entry: str, axis: str) -> Any:
    try:
        return kind(entry)
    except ValueError:
        example = "3, 1-5, 1-5 (+2) or 1-10 [5]" if kind is int else "0.5, 1-2 (+0.25) or 0-1 [5]"
        what = "a whole number" if kind is int else "a number"
        raise BadRequest(f"{axis}: {entry!r} is not {what}. Write for example {example}.") from None
