"""What network files say of themselves, kept on disk: ten thousand headers are read once, not at every start.

An entry is true as long as the file's time stamp and size stay.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from modules.networks.files import read_metadata
from modules.networks.folders import ModelFile

BATCH = 500
COLUMNS = "path TEXT PRIMARY KEY, mtime INTEGER, size INTEGER, alias TEXT, base TEXT, hash TEXT, metadata TEXT"


class Said(NamedTuple):
    """The few things that lists need of every file: the name it was trained under, the base model as the trainer wrote
    it, the hash that it states; each "" if the file does not say."""

    alias: str
    base: str
    hash: str


class MetadataIndex:
    """Metadata by path, in an SQLite file, or in memory only (None). Safe to use from any thread.

    Only what `Said` holds stays in memory: tag lists of ten thousand files would be hundreds of megabytes.
    """

    def __init__(self, database: Path | None = None) -> None:
        self._lock = threading.Lock()
        if database is not None:
            database.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(database or ":memory:", check_same_thread=False, timeout=10)
        with self._lock, self._database:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(f"CREATE TABLE IF NOT EXISTS metadata ({COLUMNS})")
        self._said: dict[str, tuple[tuple[int, int], Said]] | None = None  # read when first asked for

    def said(self, file: ModelFile) -> Said:
        """What `file` says of itself in short; its header is read if that is not known yet."""
        found = self._in_short().get(str(file.path))
        if found is None or found[0] != file.stamp:
            self.read([file])
            found = self._in_short()[str(file.path)]
        return found[1]

    def said_if_read(self, file: ModelFile) -> Said | None:
        """As `said`, None if the header would have to be read for it."""
        found = self._in_short().get(str(file.path))
        return found[1] if found is not None and found[0] == file.stamp else None

    def metadata(self, file: ModelFile) -> Mapping[str, str]:
        """Everything that `file` says of itself."""
        self.said(file)
        with self._lock:
            row = self._database.execute("SELECT metadata FROM metadata WHERE path = ?", (_key(file),)).fetchone()
        found: dict[str, str] = json.loads(row[0]) if row else {}
        return found

    def all_metadata(self, files: Iterable[ModelFile]) -> dict[Path, Mapping[str, str]]:
        """As `metadata`, of many files at once."""
        files = tuple(files)
        self.read(files)
        with self._lock:
            rows = dict(self._database.execute("SELECT path, metadata FROM metadata").fetchall())
        return {file.path: json.loads(rows[_key(file)]) for file in files}

    def read(self, files: Iterable[ModelFile], *, stop: Callable[[], bool] = lambda: False) -> int:
        """Reads the headers that are not known yet, until `stop()`. Returns: how many it read."""
        known = self._in_short()
        new = [file for file in files if known.get(str(file.path), (None,))[0] != file.stamp]
        for begin in range(0, len(new), BATCH):
            if stop():
                return begin
            self._store([(file, read_metadata(file.path)) for file in new[begin : begin + BATCH]])
        return len(new)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _store(self, entries: list[tuple[ModelFile, Mapping[str, str]]]) -> None:
        in_short = {str(file.path): (file.stamp, _in_short(metadata)) for file, metadata in entries}
        rows = [
            (_key(file), *file.stamp, *map(_text, in_short[str(file.path)][1]), json.dumps(metadata))
            for file, metadata in entries
        ]
        with self._lock, self._database:
            self._database.executemany("INSERT OR REPLACE INTO metadata VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._in_short().update(in_short)

    def _in_short(self) -> dict[str, tuple[tuple[int, int], Said]]:
        if self._said is None:
            with self._lock:
                rows = self._database.execute("SELECT path, mtime, size, alias, base, hash FROM metadata").fetchall()
            self._said = {path: ((mtime, size), Said(*said)) for path, mtime, size, *said in rows}
        return self._said


def _in_short(metadata: Mapping[str, str]) -> Said:
    base = metadata.get("ss_base_model_version") or metadata.get("modelspec.architecture") or ""
    if not base and metadata.get("ss_v2") == "True":
        base = "sd_v2"
    return Said(metadata.get("ss_output_name", ""), base, metadata.get("sshs_model_hash", ""))


def _key(file: ModelFile) -> str:
    return _text(str(file.path))


def _text(value: str) -> str:
    """`value` as a database can hold it: file names may hold bytes that are no text, headers halves of pairs."""
    return value.encode("utf-8", "backslashreplace").decode()
