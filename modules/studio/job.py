"""What a job is: one request, kept on disk until its row is pruned, and what is known about it now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modules.terms.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINAL: frozenset[State] = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True)
class SavedFile:
    """A file that a job writes. `sha256` (hex, of the whole file) tells after a crash whether it got there."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Outcome:
    """What running a job gave. `record` is JSON (see record.py); `files` are all files written, pictures or not."""

    record: Mapping[str, Any]
    files: tuple[SavedFile, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True)
class Preview:
    """The picture as it stood after some step; `number` grows with every step that could be drawn."""

    number: int
    image: Image


@dataclass(frozen=True)
class Retention:
    """How long finished jobs stay listed: at most `count` of them, none older than `days`. Pictures always stay."""

    count: int = 1000
    days: float | None = None


@dataclass(frozen=True)
class Job:
    """A job as it stands at one moment; ask `Jobs.get` again for news.

    `id` is ours and unique, `task_id` is the name that its client knows it by. `place` orders the queue. `options` say
    what its face wants done with the pictures; `brief` is what a list shows of the request. `position` counts the
    queued jobs before it. `stopping`: what a running one was asked, see `JobWatch.stop`. Times are Unix seconds.
    """

    id: str
    task_id: str
    kind: str
    client: str
    state: State
    submitted: float
    number: int = 0
    priority: int = 0
    place: float = 0.0
    starts: int = 0
    started: float | None = None
    finished: float | None = None
    error: str | None = None
    error_status: int | None = None
    interrupted: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    brief: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    files: tuple[Path, ...] = ()
    position: int = 0
    progress: Progress = Progress("waiting")
    eta: float | None = None
    preview_number: int = 0
    stopping: str | None = None
    load_request: Callable[[], Any] = field(default=lambda: None, repr=False, compare=False)

    @cached_property
    def request(self) -> Any:
        """What was asked, read from disk at the first look. Raises: NotFound if a picture of it is gone."""
        return self.load_request()

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1."""
        return 1.0 if self.state == "done" else self.progress.fraction

    @property
    def elapsed(self) -> float | None:
        """Seconds that it has run, or ran; None before it starts."""
        if self.started is None:
            return None
        return max(0.0, (self.finished or time.time()) - self.started)

    def view(self) -> dict[str, Any]:
        """The job as JSON, for pages that follow it."""
        return {
            "id": self.id,
            "task_id": self.task_id,
            "kind": self.kind,
            "state": self.state,
            "position": self.position,
            "phase": self.progress.phase,
            "note": self.progress.note,
            "fraction": round(self.fraction, 4),
            "step": self.progress.step,
            "steps": self.progress.steps,
            "batch": self.progress.batch,
            "batches": self.progress.batches,
            "eta": None if self.eta is None else round(self.eta, 1),
            "elapsed": None if self.elapsed is None else round(self.elapsed, 2),
            "preview": self.preview_number,
            "submitted": self.submitted,
            "error": self.error,
            "interrupted": self.interrupted,
            "stopping": self.stopping,
        }
