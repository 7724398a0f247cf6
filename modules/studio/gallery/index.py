"""The index of pictures: an SQLite file with full-text search. What people said of a picture is kept by its path."""

from __future__ import annotations

import re
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modules.studio.gallery.picture import Picture
from modules.studio.gallery.question import question
from modules.terms.errors import BadRequest, NotFound

SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, folder TEXT NOT NULL, name TEXT NOT NULL, made REAL NOT NULL,
    mtime INTEGER NOT NULL, size INTEGER NOT NULL, width INTEGER, height INTEGER, text TEXT, prompt TEXT,
    negative TEXT, model TEXT, model_hash TEXT, sampler TEXT, loras TEXT, seed INTEGER, steps INTEGER, cfg_scale REAL);
CREATE INDEX IF NOT EXISTS by_folder ON pictures (folder);
CREATE INDEX IF NOT EXISTS by_seed ON pictures (seed);
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(
    prompt, negative, model, loras, sampler, name, content='pictures', content_rowid='id',
    tokenize='unicode61 remove_diacritics 2');
CREATE TRIGGER IF NOT EXISTS written AFTER INSERT ON pictures BEGIN
    INSERT INTO texts(rowid, prompt, negative, model, loras, sampler, name)
    VALUES (new.id, new.prompt, new.negative, new.model, new.loras, new.sampler, new.name); END;
CREATE TRIGGER IF NOT EXISTS forgotten AFTER DELETE ON pictures BEGIN
    INSERT INTO texts(texts, rowid, prompt, negative, model, loras, sampler, name)
    VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.loras, old.sampler, old.name); END;
CREATE TABLE IF NOT EXISTS favourites (path TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tags (path TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (path, tag));
CREATE INDEX IF NOT EXISTS by_tag ON tags (tag);
"""
COLUMNS = (
    "path, folder, name, made, mtime, size, width, height, text, prompt, negative, model, model_hash, sampler, loras, "
    "seed, steps, cfg_scale"
)
# The full-text table has columns of the same names.
_QUALIFIED = ", ".join(f"pictures.{name}" for name in COLUMNS.split(", "))
ORDERS = ("newest", "oldest")
MOST = 500


@dataclass(frozen=True)
class Row:
    """A picture of a page. id: grows with the time when it was made; stays as long as the file is not changed."""

    id: int
    picture: Picture
    favourite: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """Some of the pictures that a search found. next: where the next page begins, None after the last."""

    rows: tuple[Row, ...]
    next: str | None


class PictureIndex:
    """Pictures by what stands in them. Safe to use from any thread; readers do not wait for the writer."""

    def __init__(self, database: Path) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        self._database = database
        self._own = threading.local()
        self._writing = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        with self._writing, self._connection() as connection:
            connection.executescript(SCHEMA)

    def search(self, text: str = "", *, order: str = "newest", after: str = "", limit: int = 100) -> Page:
        """A page of the pictures that `text` asks for (see `question`), beginning behind `after`.

        Raises: BadRequest for a text, order or page that cannot be understood.
        """
        if order not in ORDERS:
            raise BadRequest(f"order is {order!r}, but must be one of {', '.join(ORDERS)}.")
        tables, conditions, values = _asked(text)
        if after:
            conditions.append(f"id {'<' if order == 'newest' else '>'} ?")
            values.append(_place(after))
        limit = max(1, min(limit, MOST))
        # By the number of the row, which the full-text index walks along in either direction without sorting.
        row = "texts.rowid" if "texts" in tables else "id"
        direction = "DESC" if order == "newest" else "ASC"
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"SELECT id, {_QUALIFIED} FROM {tables} {where} ORDER BY {row} {direction} LIMIT ?"
        rows = self._connection().execute(sql, (*values, limit + 1)).fetchall()
        found = tuple(self._rows(rows[:limit]))
        return Page(found, str(found[-1].id) if len(rows) > limit else None)

    def count(self, text: str = "") -> int:
        """How many pictures `text` asks for."""
        tables, conditions, values = _asked(text)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        found: int = self._connection().execute(f"SELECT count(*) FROM {tables} {where}", values).fetchone()[0]
        return found

    def get(self, id: int) -> Row:
        """The picture of that id. Raises: NotFound."""
        rows = self._connection().execute(f"SELECT id, {COLUMNS} FROM pictures WHERE id = ?", (id,)).fetchall()
        for row in self._rows(rows):
            return row
        raise NotFound(f"There is no picture {id} in the library; it may have been deleted or changed.")

    def values(self, column: str, limit: int = 200) -> list[tuple[str, int]]:
        """What stands in a column ("model", "sampler", "folder") and how often, most frequent first."""
        if column not in ("model", "sampler", "folder"):
            raise BadRequest(f"There is no list of {column!r}; there are model, sampler, folder.")
        sql = f"SELECT {column}, count(*) FROM pictures WHERE {column} != '' GROUP BY 1 ORDER BY 2 DESC LIMIT ?"
        return [(str(value), int(times)) for value, times in self._connection().execute(sql, (limit,))]

    def tags(self) -> list[tuple[str, int]]:
        """Every tag and how often it is used."""
        return list(self._connection().execute("SELECT tag, count(*) FROM tags GROUP BY 1 ORDER BY 2 DESC, 1"))

    def stamps(self, folder: Path) -> dict[str, tuple[int, int]]:
        """Path -> stamp of every picture that is indexed directly in `folder`."""
        sql = "SELECT path, mtime, size FROM pictures WHERE folder = ?"
        return {path: (mtime, size) for path, mtime, size in self._connection().execute(sql, (str(folder),))}

    def folders(self) -> list[Path]:
        """Every folder that has a picture in the index."""
        return [Path(row[0]) for row in self._connection().execute("SELECT DISTINCT folder FROM pictures")]

    def put(self, pictures: Iterable[Picture]) -> None:
        """Adds pictures, or writes them anew."""
        rows = list({picture.path: _row(picture) for picture in pictures}.values())
        marks = ", ".join("?" * len(COLUMNS.split(",")))
        with self._transaction() as connection:
            connection.executemany("DELETE FROM pictures WHERE path = ?", [(row[0],) for row in rows])
            for row in rows:
                id = _number_of(connection, str(row[0]), float(str(row[3])))
                connection.execute(f"INSERT INTO pictures (id, {COLUMNS}) VALUES (?, {marks})", (id, *row))

    def forget(self, paths: Iterable[Path | str]) -> None:
        """Takes pictures out of the index; favourites and tags stay, for a file that comes back."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM pictures WHERE path = ?", [(str(path),) for path in paths])

    def favour(self, path: Path, favourite: bool) -> None:
        sql = "INSERT OR IGNORE INTO favourites VALUES (?)" if favourite else "DELETE FROM favourites WHERE path = ?"
        with self._transaction() as connection:
            connection.execute(sql, (str(path),))

    def set_tags(self, path: Path, tags: Sequence[str]) -> None:
        """Replaces the tags of a picture."""
        cleaned = dict.fromkeys(tag.strip() for tag in tags if tag.strip())
        with self._transaction() as connection:
            connection.execute("DELETE FROM tags WHERE path = ?", (str(path),))
            connection.executemany("INSERT INTO tags VALUES (?, ?)", [(str(path), tag) for tag in cleaned])

    def close(self) -> None:
        """No method may be called afterwards."""
        with self._writing:
            for connection in self._open:
                connection.close()

    def _rows(self, rows: Sequence[tuple[object, ...]]) -> Iterator[Row]:
        paths = [str(row[1]) for row in rows]
        marks = ", ".join("?" * len(paths))
        connection = self._connection()
        favourites = {
            row[0] for row in connection.execute(f"SELECT path FROM favourites WHERE path IN ({marks})", paths)
        }
        tags: dict[str, list[str]] = {}
        for path, tag in connection.execute(f"SELECT path, tag FROM tags WHERE path IN ({marks}) ORDER BY tag", paths):
            tags.setdefault(path, []).append(tag)
        for row in rows:
            path = str(row[1])
            yield Row(int(str(row[0])), _picture(row[1:]), path in favourites, tuple(tags.get(path, ())))

    def _connection(self) -> sqlite3.Connection:
        """This thread's own connection: with WAL, readers see the state before a write that goes on."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._database, check_same_thread=False, timeout=30)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._own.connection = connection
            self._open.append(connection)
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, self._connection() as connection:
            yield connection


def _asked(text: str) -> tuple[str, list[str], list[object]]:
    """The tables, conditions and values of a search. Raises: BadRequest."""
    asked = question(text)
    if not asked.words:
        return "pictures", [*asked.conditions], [*asked.values]
    tables = "texts CROSS JOIN pictures ON pictures.id = texts.rowid"
    return tables, ["texts MATCH ?", *asked.conditions], [asked.words, *asked.values]


def _number_of(connection: sqlite3.Connection, path: str, made: float) -> int:
    """A free row number for a picture: numbers stand in the order of time, microseconds times a thousand."""
    number = int(made * 1e6) * 1000 + zlib.crc32(path.encode("utf-8", "replace")) % 1000
    while connection.execute("SELECT 1 FROM pictures WHERE id = ?", (number,)).fetchone():
        number += 1
    return number


def _place(after: str) -> int:
    place = _in_range(int(after)) if re.fullmatch(r"-?\d{1,19}", after) else None
    if place is None:
        raise BadRequest(f"after is {after[:40]!r}, which is no place in the list.")
    return place


def _row(picture: Picture) -> tuple[object, ...]:
    path = picture.path
    return (
        *(str(path), str(path.parent), path.name, picture.made, *picture.stamp, picture.width, picture.height),
        *(_text(one) for one in (picture.text, picture.prompt, picture.negative, picture.model, picture.model_hash)),
        *(_text(picture.sampler), _text(", ".join(picture.loras))),
        *(_in_range(picture.seed), _in_range(picture.steps), picture.cfg_scale),
    )


def _picture(row: Sequence[object]) -> Picture:
    values: Mapping[str, object] = dict(zip(COLUMNS.split(", "), row, strict=True))
    loras = str(values["loras"] or "")
    return Picture(
        path=Path(str(values["path"])),
        made=float(str(values["made"])),
        stamp=(int(str(values["mtime"])), int(str(values["size"]))),
        loras=tuple(loras.split(", ")) if loras else (),
        **{  # type: ignore[arg-type]
            name: values[name]
            for name in (
                *("width", "height", "text", "prompt", "negative", "model", "model_hash", "sampler"),
                *("seed", "steps", "cfg_scale"),
            )
        },
    )


def _text(value: str) -> str:
    """SQLite takes no halves of surrogate pairs."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _in_range(number: int | None) -> int | None:
    return number if number is not None and -(1 << 63) <= number < 1 << 63 else None
