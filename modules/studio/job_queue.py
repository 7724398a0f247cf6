"""The order of waiting jobs: fair between clients, and movable by hand. Pure bookkeeping, no disk, no threads.

Highest priority first, then by place. A client's jobs get consecutive places that start at the place being served, so
that clients take turns: who queues a hundred pictures does not keep another waiting for a single one. With one client
alone it is first come, first served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modules.studio.job import Job

PLACE_STEP = 1e-6


class FairQueue:
    """Waiting jobs by id. `serving` is the place of the job that started last."""

    def __init__(self) -> None:
        self._waiting: dict[str, Job] = {}
        self._last_place: dict[str, float] = {}
        self.serving = 0.0

    def next_place(self, client: str) -> float:
        """Where this client's next job belongs: one turn after its last one, whether that still waits or not."""
        return max(self.serving, self._last_place.get(client, float("-inf")) + 1)

    def add(self, job: Job) -> None:
        self._last_place = {client: last for client, last in self._last_place.items() if last >= self.serving}
        self._last_place[job.client] = max(job.place, self._last_place.get(job.client, job.place))
        self._waiting[job.id] = job

    def remove(self, job_id: str) -> None:
        self._waiting.pop(job_id, None)

    def get(self, job_id: str) -> Job | None:
        return self._waiting.get(job_id)

    def order(self) -> list[Job]:
        """The waiting jobs, next first."""
        return sorted(self._waiting.values(), key=_key)

    def position(self, job: Job) -> int:
        """How many wait in front of `job`."""
        return sum(_key(other) < _key(job) for other in self._waiting.values())

    def first(self) -> Job | None:
        return min(self._waiting.values(), key=_key, default=None)

    def serve(self, job: Job) -> None:
        """`job` starts: it waits no longer, and later arrivals come after its place."""
        self.remove(job.id)
        self.serving = max(self.serving, job.place)

    def head(self) -> tuple[float, int]:
        """(place, priority) in front of everybody."""
        first = self.first()
        return (first.place - 1, first.priority) if first else (self.serving, 0)

    def moved(self, job: Job, before: Job | None) -> list[Job]:
        """The jobs whose place or priority changes when `job` goes in front of `before` (None: to the end)."""
        rest = [other for other in self.order() if other.id != job.id]
        if not rest:
            return []
        at = len(rest) if before is None else [other.id for other in rest].index(before.id)
        ahead, behind = rest[at - 1] if at else None, rest[at] if at < len(rest) else None
        if behind is not None and (ahead is None or ahead.priority != behind.priority):
            job = replace(job, place=behind.place - PLACE_STEP, priority=behind.priority)
        elif ahead is not None:
            job = replace(job, place=ahead.place, priority=ahead.priority)
        return self._spread([*rest[:at], job, *rest[at:]])

    def _spread(self, ordered: Sequence[Job]) -> list[Job]:
        """Those of `ordered` that need another place than they have for the order to hold."""
        changed, last = [], None
        for job in ordered:
            if last is not None and job.priority == last.priority and job.place <= last.place:
                job = replace(job, place=last.place + PLACE_STEP)
            if job != self._waiting[job.id]:
                changed.append(job)
            last = job
        return changed


def _key(job: Job) -> tuple[float, float, int]:
    return -job.priority, job.place, job.number
