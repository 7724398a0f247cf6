"""How fast jobs of each kind have been of late, and when those that wait will be through."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from modules.studio.job import Job
from modules.studio.job_brief import seconds_for
from modules.studio.jobs import Jobs

LOOKED_AT = 30


def rates_of(finished: Iterable[Job]) -> dict[str, float]:
    """Kind -> seconds per work, the median of those jobs that ran to their end."""
    found: dict[str, list[float]] = defaultdict(list)
    for job in finished:
        work = job.brief.get("work")
        if job.state == "done" and not job.interrupted and work and job.elapsed:
            found[job.kind].append(job.elapsed / float(work))
    return {kind: median(rates) for kind, rates in found.items()}


def waits_of(active: Sequence[Job], rates: Mapping[str, float]) -> dict[str, float | None]:
    """Job id -> seconds until it is through, in the order of the queue; None from the first on of which that is not
    known. One worker runs them one after the other. What runs tells more of the speed than what has finished."""
    measured = {job.kind: rate for job in active if (rate := _measured(job)) is not None}
    rates = {**rates, **measured}
    waits: dict[str, float | None] = {}
    total: float | None = 0.0
    for job in active:
        needs = seconds_for(job.brief, rates, job.kind)
        if job.state == "running" and job.eta is not None:
            needs = job.eta
        elif job.state == "running" and needs is not None:
            needs = max(0.0, needs - (job.elapsed or 0.0))
        total = None if total is None or needs is None else total + needs
        waits[job.id] = total
    return waits


def _measured(job: Job) -> float | None:
    """Seconds per work of a running job that knows when it will be through."""
    work = job.brief.get("work")
    return (job.elapsed + job.eta) / float(work) if work and job.eta is not None and job.elapsed else None


class Rates:
    """The rates of `jobs`, looked up anew only when `outdated` was called."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._rates: dict[str, float] | None = None

    def outdated(self) -> None:
        """A job has finished."""
        with self._lock:
            self._rates = None

    def now(self) -> dict[str, float]:
        with self._lock:
            if self._rates is None:
                self._rates = rates_of(self._jobs.finished(0, LOOKED_AT)[1])
            return self._rates
