"""The watcher of one running job: it keeps what the generation says, and passes on what its followers want of it."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from modules.studio.job import Job, Outcome, Preview, SavedFile
from modules.terms.errors import Cancelled, Interrupted, Skipped
from modules.terms.progress import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

Stop = Literal["skip", "finish", "interrupt", "cancel"]
STEPPING = ("sampling", "upscaling", "faces")


class JobWatch:
    """Handed to `run(job, watch)` and on to `generate`: a `Watcher`, and the two places where a job leaves things.

    Interrupt and skip are raised once, and only from a step: of a sampler, where there is a picture to keep, or of an
    upscaler, where those made before may be kept; "finish" only between two batches. An interrupt before the first step
    throws the job away, since there is nothing to keep. Cancel is raised at every call.
    """

    def __init__(
        self,
        job: Job,
        folder: Path,
        changed: Callable[[], None],
        write_ahead: Callable[[Outcome], None],
        announce: Callable[[SavedFile], None],
    ) -> None:
        self.job = job
        self._folder = folder
        self._changed = changed
        self._write_ahead = write_ahead
        self._announce = announce
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._stop: Stop | None = None
        self._interrupted = False
        self._stepped = False
        self.progress = Progress("waiting")
        self._heard = time.monotonic()
        self._first: tuple[float, float] | None = None
        self._eta: float | None = None
        self._draw: Callable[[], Image] | None = None
        self._drawn: Preview | None = None
        self.preview_number = 0

    @property
    def folder(self) -> Path:
        """A folder for files that live as long as the job is listed: pictures that nobody asked to save."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def clear_folder(self) -> None:
        """Removes what a broken-off attempt left in `folder`."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def writing(self, file: SavedFile) -> None:
        """Say that `file` takes its name next. If the process is killed before the job is done, the job runs again,
        and what this attempt has written goes when the next one is done."""
        self._announce(file)

    def finishing(self, outcome: Outcome) -> None:
        """Write the whole `outcome` down ahead: its files are complete under other names and take their own next.

        After a kill in between, the next start finds them by their sha256 and need not run the job again.
        """
        self._write_ahead(outcome)

    def stop(self, how: Stop) -> None:
        """What the next call raises; a stronger wish replaces a weaker one."""
        order = get_args(Stop)
        with self._lock:
            if self._stop is None or order.index(how) > order.index(self._stop):
                self._stop = how

    @property
    def stopping(self) -> Stop | None:
        """What was asked for: "skip", "finish", "interrupt", "cancel" or nothing."""
        return self._stop or ("interrupt" if self._interrupted else None)

    @property
    def eta(self) -> float | None:
        """Seconds to go; None while nothing can be said."""
        with self._lock:
            return None if self._eta is None else max(0.0, self._eta - (time.monotonic() - self._heard))

    def __call__(self, progress: Progress, preview: Callable[[], Image] | None = None) -> None:
        """Raises: Interrupted, Skipped, Cancelled if somebody asked for it."""
        with self._lock:
            self.progress = progress
            self._estimate(progress)
            if preview is not None:
                self._draw = preview
                self.preview_number += 1
            raised = self._due(progress)
        self._changed()
        if raised is not None:
            raise raised

    def preview(self) -> Preview | None:
        """The newest picture that can be drawn, drawn now (at most once per step); None before there is one."""
        with self._drawing:
            with self._lock:
                number, draw = self.preview_number, self._draw
            if draw is None:
                return None
            if self._drawn is None or self._drawn.number != number:
                try:
                    self._drawn = Preview(number, draw())
                except (RuntimeError, ValueError, TypeError, OSError) as error:
                    # A preview is a courtesy: the job goes on without it.
                    log.warning("The preview of job %s could not be drawn: %s", self.job.id, error)
                    return self._drawn
            return self._drawn

    def _estimate(self, progress: Progress) -> None:
        now, fraction = time.monotonic(), progress.fraction
        if progress.phase in STEPPING and progress.step > 0 and progress.counts:
            # Loading and the first step (warm-up) say nothing about the speed of the others.
            if self._first is None:
                self._first = (now, fraction)
            elif fraction > self._first[1]:
                began, at = self._first
                self._eta = (now - began) / (fraction - at) * (1 - fraction)
                self._heard = now

    def _due(self, progress: Progress) -> Exception | None:
        """What to raise at this point, now taken note of."""
        stepped = progress.phase in STEPPING and progress.step > 0
        self._stepped = self._stepped or stepped
        if self._stop == "cancel":
            return Cancelled("The job was cancelled.")
        if self._stop == "interrupt":
            if self._interrupted:
                self._stop = None
            elif stepped:
                self._stop, self._interrupted = None, True
                return Interrupted("The job was interrupted.")
            elif not self._stepped:
                return Cancelled("The job was interrupted before its first step, so there is no picture.")
        if self._stop == "finish" and progress.phase == "finishing" and progress.batch < progress.batches:
            self._stop, self._interrupted = None, True
            return Interrupted("The job was interrupted between two batches.")
        if self._stop == "skip" and stepped:
            self._stop = None
            return Skipped("The rest of this batch was skipped.")
        return None
