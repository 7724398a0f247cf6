"""What is typed into the search box -> conditions of a search.

Words are looked for in prompts, names of models and files: all of them, each as the beginning of a word; "two words"
stand together; -word must not be there. `model:`, `lora:`, `sampler:`, `seed:`, `size:`, `steps:`, `date:`, `tag:`,
`folder:`, `is:favourite` narrow it down; quoted values may have blanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from modules.terms.errors import BadRequest

TOKEN = re.compile(r'(-?)(?:(\w+):)?(?:"([^"]*)"|([^\s"]+))')
WORD = re.compile(r"\w+", re.UNICODE)


@dataclass
class Question:
    """`words`: an FTS5 expression, "" for none. `conditions`: SQL over `pictures`, with their values."""

    words: str = ""
    conditions: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, condition: str, *values: object, negated: bool = False) -> None:
        self.conditions.append(f"NOT ({condition})" if negated else condition)
        self.values.extend(values)


def question(text: str) -> Question:
    """Raises: BadRequest naming a value that a narrowing word cannot have."""
    asked = Question()
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, key, quoted, plain in TOKEN.findall(text):
        value = quoted or plain
        narrow = NARROWING.get(key.lower())
        if narrow is not None:
            narrow(asked, value, bool(minus))
            continue
        # "a:b" with an unknown word before the colon is text like any other.
        phrase = expression(f"{key} {value}" if key else value, whole=bool(quoted))
        if phrase:
            (unwanted if minus else wanted).append(phrase)
    asked.words = " AND ".join(wanted)
    if unwanted and wanted:
        asked.words = f"({asked.words}) NOT ({' OR '.join(unwanted)})"
    elif unwanted:
        asked.add("id NOT IN (SELECT rowid FROM texts WHERE texts MATCH ?)", " OR ".join(unwanted))
    return asked


def expression(text: str, *, whole: bool) -> str:
    """`text` as FTS5 reads it: a phrase; its last word may go on, unless it was quoted."""
    words = WORD.findall(text)
    return f'"{" ".join(words)}"{"" if whole else " *"}' if words else ""


def like(column: str) -> Callable[[Question, str, bool], None]:
    def narrow(asked: Question, value: str, negated: bool) -> None:
        escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        asked.add(f"{column} LIKE ? ESCAPE '\\'", f"%{escaped}%", negated=negated)

    return narrow


def number(column: str) -> Callable[[Question, str, bool], None]:
    """`5`, `5-9`, `>5`, `<5`."""

    def narrow(asked: Question, value: str, negated: bool) -> None:
        match = re.fullmatch(r"([<>]?)(-?\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?", value)
        if match is None:
            raise BadRequest(f"{column}:{value} is no number. Write {column}:20, {column}:20-30 or {column}:>20.")
        sign, low, high = match.groups()
        if high:
            asked.add(f"{column} BETWEEN ? AND ?", float(low), float(high), negated=negated)
        else:
            asked.add(f"{column} {sign or '='} ?", float(low), negated=negated)

    return narrow


def size(asked: Question, value: str, negated: bool) -> None:
    match = re.fullmatch(r"(\d+)[x×*](\d+)", value.lower())
    if match is None:
        raise BadRequest(f"size:{value} is no size. Write size:512x768.")
    asked.add("width = ? AND height = ?", int(match[1]), int(match[2]), negated=negated)


def date(asked: Question, value: str, negated: bool) -> None:
    """`2026`, `2026-11`, `2026-11-23`, and `2026-11-01..2026-11-23`."""
    first, _, last = value.partition("..")
    begin, end = span(first)
    if last:
        end = span(last)[1]
    asked.add("pictures.made >= ? AND pictures.made < ?", begin.timestamp(), end.timestamp(), negated=negated)


def span(text: str) -> tuple[datetime, datetime]:
    """The beginning of a day, month or year, and of the next. Raises: BadRequest."""
    for pattern in ("%Y-%m-%d", "%Y-%m", "%Y"):
        try:
            begin = datetime.strptime(text, pattern)
        except ValueError:
            continue
        if pattern == "%Y-%m-%d":
            return begin, begin + timedelta(days=1)
        if pattern == "%Y-%m":
            return begin, (begin.replace(day=28) + timedelta(days=4)).replace(day=1)
        return begin, begin.replace(year=begin.year + 1)
    raise BadRequest(f"date:{text} is no date. Write date:2026-11-23, date:2026-11 or date:2026-11-01..2026-11-23.")


def tag(asked: Question, value: str, negated: bool) -> None:
    asked.add("path IN (SELECT path FROM tags WHERE tag = ?)", value, negated=negated)


def marked(asked: Question, value: str, negated: bool) -> None:
    if value.lower() not in ("favourite", "favorite", "fav"):
        raise BadRequest(f"is:{value} is not known. There is is:favourite.")
    asked.add("path IN (SELECT path FROM favourites)", negated=negated)


NARROWING: dict[str, Callable[[Question, str, bool], None]] = {
    "model": like("pictures.model || ' ' || pictures.model_hash"),
    "lora": like("pictures.loras"),
    "sampler": like("pictures.sampler"),
    "folder": like("pictures.folder"),
    "name": like("pictures.name"),
    "seed": number("seed"),
    "steps": number("steps"),
    "width": number("width"),
    "height": number("height"),
    "cfg": number("cfg_scale"),
    "size": size,
    "date": date,
    "tag": tag,
    "is": marked,
}
