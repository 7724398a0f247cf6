"""SHA-256 of model files, kept on disk: a file is read once, until its time stamp or size changes.

Old installations are not made to hash again: A1111's `cache.json` is read when it is there.
Source: spec/models_and_networks.md §2, §5.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["file", "content"]
BLOCK = 1 << 20
LEGACY_BEGIN, LEGACY_LENGTH = 0x100000, 0x10000
A1111_SECTIONS: dict[Kind, str] = {"file": "hashes", "content": "hashes-addnet"}


def sha256_of(path: Path, kind: Kind = "file", *, stop: Callable[[], bool] = lambda: False) -> str | None:
    """Hex digest of the whole file, or ("content") of a safetensors file's bytes after its header, by which LoRA files
    are known. None if `stop` became true on the way. Raises: OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if kind == "content" and path.suffix == ".safetensors":
            file.seek(8 + int.from_bytes(file.read(8), "little"))
        while block := file.read(BLOCK):
            if stop():
                return None
            digest.update(block)
    return digest.hexdigest()


def legacy_hash(path: Path) -> str:
    """The eight digits by which A1111 named models before it used SHA-256; "NOFILE" if the file is not there."""
    try:
        with path.open("rb") as file:
            file.seek(LEGACY_BEGIN)
            return hashlib.sha256(file.read(LEGACY_LENGTH)).hexdigest()[:8]
    except OSError:
        return "NOFILE"


class HashCache:
    """Digests by path, valid while time stamp and size stay. Kept in an SQLite file, or in memory only (None).

    Safe to use from several threads.
    """

    def __init__(self, database: Path | None = None, a1111_cache: Path | None = None) -> None:
        self._lock = threading.Lock()
        if database is not None:
            database.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(database or ":memory:", check_same_thread=False, timeout=10)
        with self._lock, self._database:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS hashes "
                "(path TEXT, kind TEXT, mtime INTEGER, size INTEGER, sha256 TEXT, PRIMARY KEY (path, kind))"
            )
            rows = self._database.execute("SELECT path, kind, mtime, size, sha256 FROM hashes").fetchall()
        self._known = {(path, kind): (mtime, size, digest) for path, kind, mtime, size, digest in rows}
        self._a1111 = _a1111_entries(a1111_cache)

    def known(self, path: Path, title: str = "", kind: Kind = "file") -> str | None:
        """The digest of `path` if it is known and still true, without reading the file.

        title: the file's name in A1111's cache, "checkpoint/model.safetensors".
        """
        try:
            stat = path.stat()
        except OSError:
            return None
        entry = self._known.get((str(path), kind))
        if entry is not None and entry[:2] == (stat.st_mtime_ns, stat.st_size):
            return str(entry[2])
        theirs = self._a1111.get((A1111_SECTIONS[kind], title))
        return theirs[1] if theirs is not None and stat.st_mtime <= theirs[0] else None

    def compute(
        self, path: Path, title: str = "", kind: Kind = "file", *, stop: Callable[[], bool] = lambda: False
    ) -> str | None:
        """The digest of `path`, read from the file if need be; None if `stop` said so. Raises: OSError."""
        found = self.known(path, title, kind)
        if found is not None:
            return found
        stat = path.stat()
        digest = sha256_of(path, kind, stop=stop)
        if digest is not None:
            self._keep(path, kind, stat, digest)
        return digest

    def learn(self, path: Path, digest: str) -> None:
        """Keeps the digest of the whole file `path`, which is known from elsewhere. Raises: OSError."""
        self._keep(path, "file", path.stat(), digest)

    def _keep(self, path: Path, kind: Kind, stat: os.stat_result, digest: str) -> None:
        row = (str(path), kind, stat.st_mtime_ns, stat.st_size, digest)
        with self._lock, self._database:
            self._database.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", row)
            self._known[(str(path), kind)] = row[2:]

    def every(self, path: Path) -> dict[str, str]:
        """The hashes by which model sites know the file, computed now unless they are known. Raises: OSError."""
        whole = self.compute(path) or ""
        found = {"SHA256": whole, "AutoV2": whole[:10], "AutoV1": legacy_hash(path)}
        if path.suffix == ".safetensors":
            found["AutoV3"] = (self.compute(path, kind="content") or "")[:12]
        return found

    def close(self) -> None:
        with self._lock:
            self._database.close()


class HashingProgress(NamedTuple):
    """How far a list of files is; `name` is the file that is being read, "" if none is."""

    done: int = 0
    total: int = 0
    name: str = ""


class BackgroundHashing:
    """One quiet thread that hashes files so that nobody has to wait for them. `progress` tells how far it is."""

    def __init__(self, cache: HashCache, on_hash: Callable[[Path], None]) -> None:
        self._cache, self._on_hash = cache, on_hash
        self.progress = HashingProgress()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, files: Iterable[tuple[Path, str]]) -> None:
        """Hashes `files` (path, title), in order, unless it is still busy with an earlier list."""
        if self._thread is None or not self._thread.is_alive():
            self._stopped.clear()
            self._thread = threading.Thread(target=self._work, args=(list(files),), name="hashing", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the work and waits for the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def wait(self) -> None:
        """Waits until the list is done."""
        if self._thread is not None:
            self._thread.join()

    def _work(self, files: list[tuple[Path, str]]) -> None:
        for number, (path, title) in enumerate(files):
            if self._stopped.is_set():
                break
            self.progress = HashingProgress(number, len(files), path.name)
            try:
                if self._cache.known(path, title) is None and self._cache.compute(
                    path, title, stop=self._stopped.is_set
                ):
                    self._on_hash(path)
            except OSError:
                continue  # moved or deleted meanwhile; the next look at the folder drops it
        self.progress = HashingProgress(len(files), len(files))


def _a1111_entries(path: Path | None) -> Mapping[tuple[str, str], tuple[float, str]]:
    """(section, title) -> (time stamp, digest) of A1111's cache.json; nothing if it is not there or unreadable."""
    if path is None or not path.is_file():
        return {}
    try:
        sections = json.loads(path.read_text(encoding="utf-8"))
        return {
            (section, title): (float(entry["mtime"]), str(entry["sha256"]))
            for section in A1111_SECTIONS.values()
            for title, entry in sections.get(section, {}).items()
            if entry.get("sha256")
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
