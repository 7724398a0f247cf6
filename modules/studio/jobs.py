"""Jobs that nothing loses: every request is on disk before it runs, and one worker runs them in a fair order.

A killed process: jobs that are done stay done, queued ones keep their places, the one that ran goes back to the head.
How that is told apart stands in job_recovery.py, the order in job_queue.py, what is on disk in job_store.py.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from modules.studio.followers import Audience, Follower
from modules.studio.job import FINAL, Job, Outcome, Preview, Retention, SavedFile, State
from modules.studio.job_brief import CHOSEN, brief_of
from modules.studio.job_codec import REQUEST_TYPES, Codec, PictureStore
from modules.studio.job_failure import unforeseen
from modules.studio.job_queue import FairQueue
from modules.studio.job_recovery import drop, recover, sweep, tidy
from modules.studio.job_store import JobStore
from modules.studio.job_watch import JobWatch
from modules.terms.errors import BadRequest, NotFound, Stopped, WebuiError

__all__ = ["FINAL", "Job", "JobWatch", "Jobs", "Outcome", "Preview", "Retention", "SavedFile"]

log = logging.getLogger(__name__)


DISK_RETRY_S = 5.0

Run = Callable[[Job, JobWatch], Outcome]


class Jobs:
    """The queue, its worker and its followers. All methods may be called from any thread.

    folder: holds the database, the pictures of requests, and pictures that nobody asked to save.
    run: does one job in the worker thread; the first call may import torch, nothing here does.
    Raises: WebuiError if another process uses `folder`.
    """

    def __init__(
        self, folder: Path, run: Run, *, retention: Retention | None = None, types: tuple[type, ...] = REQUEST_TYPES
    ) -> None:
        self.folder = folder
        self.retention = retention or Retention()
        self._run = run
        folder.mkdir(parents=True, exist_ok=True)
        self._owner = FileLock(folder / "owner.lock")
        try:
            self._owner.acquire(timeout=0)
        except Timeout as error:
            raise WebuiError(
                f"Another running studio uses {folder}. Stop it, or start this one with another --data-dir."
            ) from error
        self._codec = Codec(PictureStore(folder / "pictures"), types)
        self._store = JobStore(folder / "jobs.sqlite", self._codec.decode)
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._queue = FairQueue()
        self._running: dict[str, Job] = {}
        self._watches: dict[str, JobWatch] = {}
        self._unwritten: dict[str, Job] = {}
        self._audience = Audience(self.get)
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._dismissed = False
        self._disk_works = True
        self._paused = self._store.note("paused") == "yes"
        recover(self._store, self._queue)
        sweep(self._store, folder / "kept")

    # submitting

    def submit(
        self,
        request: Any,
        kind: str = "txt2img",
        *,
        client: str = "",
        task_id: str | None = None,
        options: Mapping[str, Any] | None = None,
        priority: int = 0,
    ) -> Job:
        """The job that will do `request`; it is on disk when this returns.

        client: whose turn it counts as. task_id: the name the client knows it by, made up if None.
        options: JSON for `run` and the face that asked.
        Raises: BadRequest for a request that cannot be kept, WebuiError if the disk is full.
        """
        encoded, pictures = self._codec.encode(request)
        return self._add(encoded, pictures, kind, client, task_id, dict(options or {}), priority, brief_of(request))

    def retry(self, job_id: str) -> Job:
        """A new job that asks the same as a finished one. Raises: NotFound, BadRequest if it has not finished."""
        old = self._known(job_id)
        if not old.is_final:
            raise BadRequest(f"Job {job_id} is {old.state}; only a finished one can be tried again.")
        encoded, pictures = self._store.copy_of(old.id)
        brief = {name: value for name, value in old.brief.items() if name not in CHOSEN}
        options = dict(old.options)
        return self._add(encoded, frozenset(pictures), old.kind, old.client, None, options, old.priority, brief)

    def _add(
        self,
        encoded: Any,
        pictures: frozenset[str],
        kind: str,
        client: str,
        task_id: str | None,
        options: dict[str, Any],
        priority: int,
        brief: Mapping[str, Any],
    ) -> Job:
        job_id = secrets.token_hex(8)
        with self._lock:
            job = Job(
                id=job_id,
                task_id=task_id or f"task({kind}-{secrets.token_hex(4)})",
                kind=kind,
                client=client,
                state="queued",
                submitted=time.time(),
                priority=priority,
                place=self._queue.next_place(client),
                options=options,
                brief=brief,
            )
            job = self._store.add(job, encoded, pictures)
            self._queue.add(job)
            self._work.notify_all()
            self._tell_queue()
            return self._live(job)

    # looking

    def get(self, name: str) -> Job | None:
        """The job with this id, else the newest with this task id, as it stands now; None if there is none."""
        with self._lock:
            job = self._running.get(name) or self._queue.get(name)
            if job is not None:
                return self._live(job)
            if name in self._unwritten:
                return self._unwritten[name]
        stored = self._store.job(name)
        if stored is None or stored.is_final or stored.id == name:
            return stored
        return self.get(stored.id)

    def active(self) -> list[Job]:
        """Jobs that run, then those that wait, in the order in which they will run."""
        with self._lock:
            running = [self._live(job) for job in self._running.values()]
            return running + [replace(job, position=place) for place, job in enumerate(self._queue.order())]

    def running(self) -> list[Job]:
        """The jobs that run, as they stand now. Never waits, not even while another thread writes a job to disk."""
        watched = [(job, self._watches.get(job.id)) for job in list(self._running.values())]
        return [_as_watched(job, watch) for job, watch in watched if watch is not None]

    def history(self, limit: int = 100, before: int | None = None) -> list[Job]:
        """Finished jobs, newest first, without their results; `before` a job's `number` for the next page."""
        return list(self._store.history(limit, before))

    def finished(self, offset: int = 0, limit: int = 100) -> tuple[int, tuple[Job, ...]]:
        """(how many there are, those on this page) of finished jobs, the last to finish first, without results."""
        return self._store.finished(offset, limit)

    def preview(self, name: str) -> Preview | None:
        """The picture of a running job as it stands, drawn in the caller's thread; None if there is none."""
        job = self.get(name)
        watch = self._watches.get(job.id) if job else None
        return watch.preview() if watch else None

    def watch_of(self, job_id: str) -> JobWatch | None:
        """What follows a job that runs or ran in this process."""
        return self._watches.get(job_id)

    def stopping(self, name: str) -> str | None:
        """What a running job was asked: "skip", "interrupt", "cancel" or nothing."""
        watch = self._watches.get(name)
        return watch.stopping if watch else None

    def follow(self, name: str) -> Follower:
        """News of one job, its present state first. Raises: NotFound."""
        return self._audience.follow(self._known(name).id)

    def follow_all(self) -> Follower:
        """News of every job, the active ones first."""
        with self._lock:
            return self._audience.follow_all([job.id for job in (*self._running.values(), *self._queue.order())])

    def listen(self, heard: Callable[[str | None], None]) -> Callable[[], None]:
        """Calls `heard` with the id of a job that has changed, and with None when the order or the pause has.

        It is called in the worker's thread, at every step: it must return at once. Returns: what ends it.
        """
        return self._audience.listen(heard)

    def wait(self, name: str, timeout: float | None = None) -> Job:
        """The job, once it has finished or after `timeout` seconds. Raises: NotFound."""
        end = None if timeout is None else time.monotonic() + timeout
        with self.follow(name) as follower:
            while True:
                follower.next(None if end is None else max(0.0, end - time.monotonic()))
                if follower.ended or (end is not None and time.monotonic() >= end):
                    return self._known(name)

    async def wait_async(self, name: str) -> Job:
        """As `wait`, for asyncio."""
        follower = await asyncio.to_thread(self.follow, name)
        with follower:
            while True:
                await follower.over(self._is_active)
                job = await asyncio.to_thread(self._known, name)
                if job.is_final or follower.closed:
                    return job

    # steering

    def interrupt(self, name: str) -> None:
        """End the job after its present step and keep the picture; a queued one is cancelled."""
        self._stop(name, "interrupt")

    def finish_batch(self, name: str) -> None:
        """End the job after its present batch, whose pictures get finished."""
        self._stop(name, "finish")

    def skip(self, name: str) -> None:
        """End the present batch of a running job, keep its pictures, go on with the next."""
        self._stop(name, "skip")

    def cancel(self, name: str) -> None:
        """End the job and throw it away. A finished one stays as it is."""
        self._stop(name, "cancel")

    def forget(self, names: Collection[str] | None = None) -> int:
        """Take these finished jobs off the list, all if None. Saved pictures stay. Returns: how many they were."""
        gone = self._store.forget(names)
        drop(gone, self._store, self._codec.pictures, self.folder / "kept")
        with self._lock:
            for job_id in gone:
                self._unwritten.pop(job_id, None)
            self._tell_queue()
        return len(gone)

    def pause(self) -> None:
        """Start no further job until `resume`, over restarts too. The running one goes on."""
        self._set_paused(True)

    def resume(self) -> None:
        self._set_paused(False)

    @property
    def closing(self) -> bool:
        """Whether there will be no more news."""
        return self._dismissed

    def dismiss(self) -> None:
        """End what follows and listens, so that a server may close its connections. The jobs go on."""
        self._dismissed = True
        self._audience.dismiss()

    @property
    def paused(self) -> bool:
        return self._paused

    def move(self, name: str, before: str | None = None) -> None:
        """Put a queued job in front of another queued one, or at the end. Raises: NotFound if either is not queued."""
        with self._lock:
            job = self._queued(name)
            target = self._queued(before) if before is not None else None
            if target is not job:
                self._place(self._queue.moved(job, target))

    def prioritise(self, name: str, priority: int) -> None:
        """Jobs of higher priority run first. Raises: NotFound if it is not queued."""
        with self._lock:
            self._place([replace(self._queued(name), priority=priority)])

    # the worker

    def start(self, workers: int = 1) -> None:
        """Begin to run jobs, in `workers` threads."""
        for number in range(len(self._threads), workers):
            thread = threading.Thread(target=self._work_on, name=f"job-worker-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self, timeout: float = 10.0) -> None:
        """Stop: a running job goes back to the head of the queue, to be started again next time."""
        with self._lock:
            self._closing = True
            for watch in self._watches.values():
                watch.stop("cancel")
            self._work.notify_all()
        self.dismiss()
        for thread in self._threads:
            thread.join(timeout)
        if not any(thread.is_alive() for thread in self._threads):
            # A worker that hangs in a step keeps the database: the process ends, and the next start recovers.
            self._store.close()
            self._owner.release()

    def _work_on(self) -> None:
        self._tidy()
        while True:
            with self._lock:
                job = self._claim()
                while job is None and not self._closing:
                    self._work.wait(None if self._disk_works else DISK_RETRY_S)
                    job = self._claim()
                if job is None:
                    return
            self._execute(job)
            self._tidy()

    def _claim(self) -> Job | None:
        """The next job, now running on disk and here; None if there is none to run, or the disk refuses."""
        waiting = None if self._paused or self._closing else self._queue.first()
        if waiting is None:
            return None
        now = time.time()
        try:
            self._store.mark_running(waiting.id, now)
        except sqlite3.Error:
            log.exception("Job %s waits: that it starts could not be written to disk.", waiting.id)
            self._disk_works = False
            return None
        self._disk_works = True
        job = replace(waiting, state="running", started=now, starts=waiting.starts + 1)
        self._queue.serve(waiting)
        self._running[job.id] = job
        self._watches[job.id] = JobWatch(
            job,
            self.folder / "kept" / job.id,
            changed=lambda: self._audience.tell([job.id]),
            write_ahead=lambda outcome: self._store.write_ahead(job.id, outcome),
            announce=lambda file: self._store.announce(job.id, file),
        )
        self._tell_queue()
        return job

    def _execute(self, job: Job) -> None:
        """Run one job to its end. Whatever it raises ends this job alone."""
        watch = self._watches[job.id]
        try:
            watch.clear_folder()
            outcome = self._run(job, watch)
            self._store.finish(job.id, outcome, time.time())
        except Stopped as stopped:
            if self._closing:
                self._requeue(job)
                return
            self._settle(job, "cancelled", str(stopped) or "The job was cancelled.", None)
        except WebuiError as error:
            log.info("Job %s failed: %s", job.id, error)
            self._settle(job, "failed", str(error), error.status)
        except Exception as error:
            log.exception("Job %s failed.", job.id)
            self._settle(job, "failed", *unforeseen(error))
        else:
            self._forget(job)

    def _settle(self, job: Job, state: State, error: str, status: int | None) -> None:
        try:
            self._store.end(job.id, state, error, status, time.time())
        except sqlite3.Error:
            log.exception("Job %s ended, but that could not be written to disk; the next start runs it again.", job.id)
            self._unwritten[job.id] = replace(job, state=state, error=error, error_status=status, finished=time.time())
        self._forget(job)

    def _requeue(self, job: Job) -> None:
        with self._lock:
            self._store.requeue(job.id, *self._queue.head(), forgive=True)
            self._forget(job)

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._queue.remove(job.id)
            self._running.pop(job.id, None)
            self._watches.pop(job.id, None)
            self._audience.tell([job.id])
            self._tell_queue()

    def _tidy(self) -> None:
        try:
            tidy(self._store, self._codec.pictures, self.folder / "kept", self.retention)
        except (OSError, sqlite3.Error):
            log.exception("Old jobs could not be tidied up.")

    # with the lock held

    def _place(self, changed: list[Job]) -> None:
        """These waiting jobs have another place or priority now."""
        self._store.set_places({job.id: (job.place, job.priority) for job in changed})
        for job in changed:
            self._queue.add(job)
        self._tell_queue()

    def _queued(self, name: str) -> Job:
        job = self._queue.get(self._known(name).id)
        if job is None:
            raise NotFound(f"Job {name} does not wait in the queue (any more).")
        return job

    def _known(self, name: str) -> Job:
        job = self.get(name)
        if job is None:
            raise NotFound(f"There is no job {name!r}. It may have been so long ago that it was forgotten.")
        return job

    def _live(self, job: Job) -> Job:
        """`job` with what is known about it this moment."""
        watch = self._watches.get(job.id)
        if watch is not None:
            return _as_watched(job, watch)
        return replace(job, position=self._queue.position(job))

    def _is_active(self, job_id: str) -> bool:
        """Whether the job waits or runs. Needs no lock, and may miss one that goes from the one to the other."""
        return job_id in self._running or self._queue.get(job_id) is not None

    def _stop(self, name: str, how: Any) -> None:
        with self._lock:
            job_id = self._known(name).id
            if job_id in self._watches:
                self._watches[job_id].stop(how)
                self._audience.tell([job_id])
            elif how not in ("skip", "finish") and (waiting := self._queue.get(job_id)) is not None:
                self._settle(waiting, "cancelled", "The job was cancelled before it ran.", None)

    def _set_paused(self, paused: bool) -> None:
        with self._lock:
            self._store.note("paused", "yes" if paused else "no")
            self._paused = paused
            self._work.notify_all()
            self._tell_queue()

    def _tell_queue(self) -> None:
        """The queue has changed: everybody's position may have."""
        with self._lock:
            self._audience.tell_all(job.id for job in (*self._running.values(), *self._queue.order()))


def _as_watched(job: Job, watch: JobWatch) -> Job:
    """A running job with what its watch knows this moment."""
    return replace(
        job, progress=watch.progress, eta=watch.eta, preview_number=watch.preview_number, stopping=watch.stopping
    )
