"""Jobs on disk: one SQLite file. Everything that must survive a SIGKILL goes through here, in one transaction each.

WAL with `synchronous = FULL`: a job that was acknowledged is still there after the power fails. It costs one fsync per
change of state, four per job, about a millisecond each where a picture takes seconds. (`NORMAL` would survive
a killed process too, but may forget the last acknowledged jobs when the machine itself goes down.)
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modules.studio.job import Job, Outcome, Retention, SavedFile
from modules.studio.job_brief import chosen_of
from modules.terms.errors import WebuiError

log = logging.getLogger(__name__)

VERSION = 2
SCHEMA = """
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, task_id TEXT NOT NULL, kind TEXT NOT NULL, client TEXT NOT NULL,
  state TEXT NOT NULL, priority INTEGER NOT NULL, place REAL NOT NULL, starts INTEGER NOT NULL DEFAULT 0,
  submitted REAL NOT NULL, started REAL, finished REAL,
  error TEXT, error_status INTEGER, interrupted INTEGER NOT NULL DEFAULT 0,
  request TEXT NOT NULL, options TEXT NOT NULL, record TEXT, files TEXT,
  ahead TEXT, leftovers TEXT, brief TEXT
);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_task ON jobs (task_id);
CREATE TABLE pictures (job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, name TEXT NOT NULL);
CREATE INDEX pictures_by_job ON pictures (job);
CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# What turns the file of an older version into the next one's: version -> statements.
MIGRATIONS = {1: "ALTER TABLE jobs ADD COLUMN brief TEXT;"}
COLUMNS = (
    "number, id, task_id, kind, client, state, priority, place, starts, submitted, started, finished,"
    " error, error_status, interrupted, options, brief, record, files"
)
LISTED = COLUMNS.replace("record, files", "NULL, files")
FINAL_STATES = "('done', 'failed', 'cancelled')"


class JobStore:
    """The rows. Methods may be called from any thread; each is one transaction."""

    def __init__(self, path: Path, decode_request: Callable[[Any], Any]) -> None:
        self._decode = decode_request
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = _open(path)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    # writing

    def add(self, job: Job, request: Any, pictures: Collection[str]) -> Job:
        """`job`, now on disk, with its number. Raises: WebuiError if the disk refuses."""
        try:
            with self._transaction() as db:
                cursor = db.execute(
                    "INSERT INTO jobs"
                    " (id, task_id, kind, client, state, priority, place, submitted, request, options, brief)"
                    " VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)",
                    (job.id, job.task_id, job.kind, job.client, job.priority, job.place, job.submitted)
                    + (json.dumps(request), json.dumps(dict(job.options)), json.dumps(dict(job.brief))),
                )
                number = cursor.lastrowid
                db.executemany("INSERT INTO pictures VALUES (?, ?)", [(job.id, name) for name in pictures])
        except sqlite3.Error as error:
            raise WebuiError(f"The job could not be written to disk ({error}). Is there room left?") from error
        assert number is not None
        return self.job(job.id) or job

    def mark_running(self, job_id: str, now: float) -> None:
        with self._transaction() as db:
            db.execute(
                "UPDATE jobs SET state = 'running', started = ?, starts = starts + 1 WHERE id = ?", (now, job_id)
            )

    def write_ahead(self, job_id: str, outcome: Outcome) -> None:
        """What the job is about to have done, before its files take their names."""
        with self._transaction() as db:
            db.execute("UPDATE jobs SET ahead = ? WHERE id = ?", (json.dumps(_pack(outcome)), job_id))

    def announce(self, job_id: str, file: SavedFile) -> None:
        """One more file that the job is about to write."""
        with self._transaction() as db:
            row = db.execute("SELECT ahead FROM jobs WHERE id = ?", (job_id,)).fetchone()
            ahead = json.loads(row[0]) if row and row[0] else {"record": None, "files": [], "interrupted": False}
            ahead["files"] += _pack_files((file,))
            db.execute("UPDATE jobs SET ahead = ? WHERE id = ?", (json.dumps(ahead), job_id))

    def finish(self, job_id: str, outcome: Outcome, now: float) -> None:
        """The job is done: its state, what came out and the files it saved, in one transaction."""
        record, files = json.dumps(outcome.record), json.dumps(_pack_files(outcome.files))
        with self._transaction() as db:
            db.execute(
                "UPDATE jobs SET state = 'done', finished = ?, interrupted = ?, record = ?, files = ?, ahead = NULL,"
                " brief = json_patch(COALESCE(brief, '{}'), ?) WHERE id = ?",
                (now, outcome.interrupted, record, files, json.dumps(chosen_of(outcome.record)), job_id),
            )

    def end(self, job_id: str, state: str, error: str | None, status: int | None, now: float) -> None:
        """The job failed or was cancelled."""
        with self._transaction() as db:
            db.execute(
                "UPDATE jobs SET state = ?, finished = ?, error = ?, error_status = ?, ahead = NULL, leftovers = NULL"
                " WHERE id = ?",
                (state, now, error, status, job_id),
            )

    def requeue(self, job_id: str, place: float, priority: int, *, forgive: bool = False) -> None:
        """A running job waits again. What its broken-off attempt has put on disk is remembered as leftovers."""
        with self._transaction() as db:
            row = db.execute("SELECT ahead, leftovers FROM jobs WHERE id = ?", (job_id,)).fetchone()
            left = json.loads(row[1] or "[]") + (json.loads(row[0])["files"] if row[0] else [])
            db.execute(
                "UPDATE jobs SET state = 'queued', started = NULL, place = ?, priority = ?, ahead = NULL,"
                " leftovers = ?, starts = starts - ? WHERE id = ?",
                (place, priority, json.dumps(left) if left else None, int(forgive), job_id),
            )

    def set_places(self, places: Mapping[str, tuple[float, int]]) -> None:
        with self._transaction() as db:
            db.executemany(
                "UPDATE jobs SET place = ?, priority = ? WHERE id = ?",
                [(place, priority, job_id) for job_id, (place, priority) in places.items()],
            )

    def forget_leftovers(self, job_id: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE jobs SET leftovers = NULL WHERE id = ?", (job_id,))

    def prune(self, retention: Retention, now: float) -> tuple[str, ...]:
        """Ids of the finished jobs that are now forgotten."""
        oldest = now - retention.days * 86400 if retention.days is not None else float("-inf")
        with self._transaction() as db:
            rows = db.execute(
                f"SELECT id, finished FROM jobs WHERE state IN {FINAL_STATES} ORDER BY number DESC"
            ).fetchall()
            gone = [row[0] for place, row in enumerate(rows) if place >= retention.count or row[1] < oldest]
            db.executemany("DELETE FROM jobs WHERE id = ?", [(job_id,) for job_id in gone])
        return tuple(gone)

    def forget(self, job_ids: Collection[str] | None) -> tuple[str, ...]:
        """Drops these finished jobs, all if None; others stay. Returns: the ids of those that are gone."""
        with self._transaction() as db:
            finished = {row[0] for row in db.execute(f"SELECT id FROM jobs WHERE state IN {FINAL_STATES}")}
            gone = tuple(finished if job_ids is None else finished & set(job_ids))
            db.executemany("DELETE FROM jobs WHERE id = ?", [(job_id,) for job_id in gone])
        return gone

    def note(self, key: str, value: str | None = None) -> str | None:
        """The note `key`, after writing `value` to it if that is given."""
        with self._transaction() as db:
            if value is not None:
                db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))
            row = db.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    # reading

    def job(self, name: str) -> Job | None:
        """The job with this id, else the newest with this task id."""
        query = f"SELECT {COLUMNS} FROM jobs WHERE"
        rows = self._rows(f"{query} id = ?", name) or self._rows(
            f"{query} task_id = ? ORDER BY number DESC LIMIT 1", name
        )
        return self._job(rows[0]) if rows else None

    def unfinished(self) -> tuple[Job, ...]:
        """Queued and running jobs, oldest first."""
        return tuple(
            self._job(row)
            for row in self._rows(f"SELECT {COLUMNS} FROM jobs WHERE state IN ('queued', 'running') ORDER BY number")
        )

    def history(self, limit: int, before: int | None = None) -> tuple[Job, ...]:
        """Finished jobs, newest first, without their results. `before`: only those with a smaller number."""
        query = f"SELECT {LISTED} FROM jobs WHERE state IN {FINAL_STATES}"
        if before is None:
            rows = self._rows(f"{query} ORDER BY number DESC LIMIT ?", limit)
        else:
            rows = self._rows(f"{query} AND number < ? ORDER BY number DESC LIMIT ?", before, limit)
        return tuple(self._job(row) for row in rows)

    def finished(self, offset: int, limit: int) -> tuple[int, tuple[Job, ...]]:
        """(how many jobs have finished, `limit` of them from the `offset`th), the last to finish first, no results."""
        count = self._rows(f"SELECT COUNT(*) FROM jobs WHERE state IN {FINAL_STATES}")[0][0]
        query = f"SELECT {LISTED} FROM jobs WHERE state IN {FINAL_STATES} ORDER BY finished DESC, number DESC"
        return count, tuple(self._job(row) for row in self._rows(f"{query} LIMIT ? OFFSET ?", limit, offset))

    def request(self, job_id: str) -> Any:
        """The request of a job, decoded."""
        rows = self._rows("SELECT request FROM jobs WHERE id = ?", job_id)
        return self._decode(json.loads(rows[0][0])) if rows else None

    def ahead(self, job_id: str) -> Outcome | None:
        """What the job wrote ahead in `write_ahead`; None if it did not get that far."""
        rows = self._rows("SELECT ahead FROM jobs WHERE id = ?", job_id)
        packed = json.loads(rows[0][0]) if rows and rows[0][0] else {"record": None}
        return _unpack(packed) if packed["record"] is not None else None

    def leftovers(self) -> dict[str, tuple[SavedFile, ...]]:
        """Job id -> files of broken-off attempts, for jobs that are done."""
        rows = self._rows("SELECT id, leftovers FROM jobs WHERE state = 'done' AND leftovers IS NOT NULL")
        return {row[0]: _unpack_files(json.loads(row[1])) for row in rows}

    def last_place(self) -> float:
        """The place of the job that started last, 0 if none has."""
        found = self._rows("SELECT place FROM jobs WHERE started IS NOT NULL ORDER BY started DESC LIMIT 1")
        return float(found[0][0]) if found else 0.0

    def picture_names(self) -> frozenset[str]:
        """Every picture that some job refers to."""
        return frozenset(row[0] for row in self._rows("SELECT DISTINCT name FROM pictures"))

    def copy_of(self, job_id: str) -> tuple[Any, tuple[str, ...]]:
        """(request as JSON, its pictures) of a job, for another one that asks the same."""
        rows = self._rows("SELECT request FROM jobs WHERE id = ?", job_id)
        names = self._rows("SELECT name FROM pictures WHERE job = ?", job_id)
        return json.loads(rows[0][0]), tuple(row[0] for row in names)

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def _job(self, row: Any) -> Job:
        job_id = row[1]
        return Job(
            number=row[0],
            id=job_id,
            task_id=row[2],
            kind=row[3],
            client=row[4],
            state=row[5],
            priority=row[6],
            place=row[7],
            starts=row[8],
            submitted=row[9],
            started=row[10],
            finished=row[11],
            error=row[12],
            error_status=row[13],
            interrupted=bool(row[14]),
            options=json.loads(row[15]),
            brief=json.loads(row[16]) if row[16] else {},
            result=json.loads(row[17]) if row[17] else None,
            files=tuple(file.path for file in _unpack_files(json.loads(row[18]))) if row[18] else (),
            load_request=lambda: self.request(job_id),
        )


def _open(path: Path) -> sqlite3.Connection:
    """The database at `path`, made if it is not there. A file that is no database is put aside.

    Raises: WebuiError if a newer version of the studio wrote it.
    """
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise WebuiError(f"The list of jobs {path} cannot be opened ({error}).") from error
        aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        log.error("%s is no readable database (%s). It is kept as %s; a new list of jobs starts.", path, error, aside)
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise WebuiError(f"{path} was written by a newer version. Update, or move the file away to start anew.")
        if version == 0:
            connection.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
        for old in range(version, VERSION) if version else ():
            connection.executescript(f"BEGIN;{MIGRATIONS[old]}PRAGMA user_version = {old + 1};COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _pack_files(files: tuple[SavedFile, ...]) -> list[dict[str, str]]:
    return [{"path": str(file.path), "sha256": file.sha256} for file in files]


def _unpack_files(files: list[dict[str, str]]) -> tuple[SavedFile, ...]:
    return tuple(SavedFile(Path(file["path"]), file["sha256"]) for file in files)


def _pack(outcome: Outcome) -> dict[str, Any]:
    return {
        "record": dict(outcome.record),
        "files": _pack_files(outcome.files),
        "interrupted": outcome.interrupted,
    }


def _unpack(packed: dict[str, Any]) -> Outcome:
    return Outcome(packed["record"], _unpack_files(packed["files"]), packed["interrupted"])
