"""One stream of news for all pages: every event is made once, however many look on, and the worker only rings a bell.

`job`: a job runs, got on, or has ended. `queue`: what runs and what waits, in order. `settings`: which have changed.
Progress is told at most once per "live_preview_refresh_period"; a new state or phase at once. Pictures are not part of
it: an event names the number of the newest one, and who looks fetches that.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Literal

from modules.settings.store import Settings
from modules.studio.job import Job
from modules.studio.job_rates import Rates, waits_of
from modules.studio.jobs import Jobs

# So many events are kept for a page that lost its connection for a moment; what one missed before it can look up.
KEPT_EVENTS = 500
# A longer list is told by its length; the Queue tab asks for its pages.
LISTED = 300
SHORTEST_PERIOD_S = 0.05
Name = Literal["job", "queue", "settings"]


@dataclass(frozen=True)
class Event:
    """`key`: later events with the same one replace this one. `id` is what a page names when it comes back."""

    number: int
    epoch: str
    name: Name
    key: str
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.epoch}.{self.number}"

    @cached_property
    def wire(self) -> bytes:
        """As a server-sent event."""
        return f"id: {self.id}\nevent: {self.name}\ndata: {json.dumps(self.data)}\n\n".encode()


Hear = Callable[[Event | None], None]


class Feed:
    """The news of `jobs` and of the settings. Its thread begins with the first subscriber and then stays, so that a
    page that comes back hears what it has missed."""

    def __init__(self, jobs: Jobs, settings: Callable[[], Settings]) -> None:
        self._jobs = jobs
        self._settings = settings
        self._rates = Rates(jobs)
        self._epoch = secrets.token_hex(4)
        self._numbers = count(1)
        self._kept: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._hearers: list[Hear] = []
        self._lock = threading.Lock()
        self._bell = threading.Condition(threading.Lock())
        self._changed: dict[str, None] = {}
        self._reordered = False
        self._keys: dict[str, None] = {}
        self._progress: dict[str, _Told] = {}
        self._thread: threading.Thread | None = None

    def subscribe(self, hear: Hear, last_id: str = "") -> Callable[[], None]:
        """`hear` gets what happened after the event `last_id`, how things stand, and then every event.

        It is called in the feed's thread, with None when there will be no more, and must return at once. Returns: what
        ends it.
        """
        with self._lock:
            self._begin()
            epoch, number = last_id.partition(".")[::2]
            resumes = epoch == self._epoch and number.isdecimal()
            missed = [event for event in self._kept if event.number > int(number)] if resumes else []
            # Not among the kept ones: how things stand is nobody else's news.
            for event in (*missed, self._event("queue", "queue", self._queue())):
                hear(event)
            if self._jobs.closing:
                hear(None)
            self._hearers.append(hear)

        def end() -> None:
            with self._lock:
                self._hearers.remove(hear)

        return end

    def settings_changed(self, keys: Iterable[str]) -> None:
        """These settings have another value now."""
        with self._bell:
            self._keys.update(dict.fromkeys(keys))
            self._bell.notify()

    def _begin(self) -> None:
        if self._thread is None:
            self._jobs.listen(self._heard)
            self._thread = threading.Thread(target=self._work, name="feed", daemon=True)
            self._thread.start()

    def _heard(self, job_id: str | None) -> None:
        """The worker's part: it leaves a note and goes on."""
        with self._bell:
            if job_id is None:
                self._reordered = True
            else:
                self._changed[job_id] = None
            self._bell.notify()

    def _work(self) -> None:
        # The jobs may close their database while they are asked: then there is nobody left to tell.
        with contextlib.suppress(sqlite3.ProgrammingError):
            self._tell_until_closed()
        with self._lock:
            for hear in self._hearers:
                hear(None)

    def _tell_until_closed(self) -> None:
        held: dict[str, float] = {}
        while not self._jobs.closing:
            with self._bell:
                if not (self._changed or self._reordered or self._keys):
                    now = time.monotonic()
                    self._bell.wait(max(0.0, min(held.values()) - now) if held else None)
                changed, self._changed = self._changed, {}
                reordered, self._reordered = self._reordered, False
                keys, self._keys = tuple(self._keys), {}
            now = time.monotonic()
            due = {job_id for job_id, when in held.items() if when <= now}
            for job_id in dict.fromkeys((*changed, *due)):
                wait = self._tell_job(job_id, now)
                held.pop(job_id, None)
                if wait:
                    held[job_id] = now + wait
            if reordered:
                self._tell("queue", "queue", self._queue())
            if keys:
                self._tell("settings", "settings", {"keys": keys})

    def _tell_job(self, job_id: str, now: float) -> float:
        """Tells how the job stands. Returns: 0, or the seconds for which it is too early to tell."""
        job = self._jobs.get(job_id)
        if job is None:
            return 0.0
        if job.is_final:
            self._rates.outdated()
            self._progress.pop(job_id, None)
            self._tell("job", job_id, job.view())
            return 0.0
        told = self._progress.setdefault(job_id, _Told())
        stage = (job.state, job.progress.phase, job.progress.batch, job.stopping)
        period = max(SHORTEST_PERIOD_S, float(self._settings()["live_preview_refresh_period"]) / 1000)
        if stage == told.stage and now - told.when < period:
            return told.when + period - now
        self._offer(job, told)
        told.stage, told.when = stage, now
        self._tell("job", job_id, {**job.view(), "preview": told.offered})
        return 0.0

    def _offer(self, job: Job, told: _Told) -> None:
        """Which preview a page may fetch: every nth that could be drawn; with -1 one whenever a batch is drawn."""
        settings = self._settings()
        every = int(settings["show_progress_every_n_steps"])
        if not settings["live_previews_enable"] or not job.preview_number:
            told.offered = 0
        elif every < 0:
            if job.progress.phase in ("decoding", "finishing"):
                told.offered = job.preview_number
        elif job.preview_number - told.offered >= every:
            told.offered = job.preview_number

    def _queue(self) -> dict[str, Any]:
        active = self._jobs.active()
        waits = waits_of(active, self._rates.now())
        waiting = [job for job in active if job.state == "queued"]
        return {
            "running": [self._seen(job) for job in active if job.state == "running"],
            "waiting": [[job.id, job.kind] for job in waiting[:LISTED]],
            "count": len(waiting),
            "paused": self._jobs.paused,
            "eta": waits[active[-1].id] if active else 0.0,
        }

    def _seen(self, job: Job) -> dict[str, Any]:
        told = self._progress.get(job.id)
        return {**job.view(), "preview": told.offered if told else 0}

    def _tell(self, name: Name, key: str, data: Mapping[str, Any]) -> None:
        with self._lock:
            event = self._event(name, key, data)
            self._kept.append(event)
            for hear in self._hearers:
                hear(event)

    def _event(self, name: Name, key: str, data: Mapping[str, Any]) -> Event:
        return Event(next(self._numbers), self._epoch, name, key, data)


@dataclass
class _Told:
    """What pages know of a running job. `when`: on the monotonic clock."""

    stage: tuple[object, ...] = ()
    when: float = 0.0
    offered: int = 0
