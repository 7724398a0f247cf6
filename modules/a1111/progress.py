"""`shared.state` and its like: what the running job says, and how an extension tells it to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modules.a1111.bound import bound, work_now
from modules.a1111.parts import Framing


class State:
    """The job of this thread, or the one that runs. Counters that extensions write are kept as they wrote them."""

    def __init__(self) -> None:
        self.skipped = False
        self.job = ""
        self.job_no = 0
        self.job_count = 0
        self.processing_has_refined_job_count = False
        self.job_timestamp = "0"
        self.current_latent: Any = None
        self.current_image: Any = None
        self.current_image_sampling_step = 0
        self.id_live_preview = 0
        self.textinfo: str | None = None
        self.time_start = time.time()
        self.server_start = self.time_start
        self.server_command: str | None = None
        self.oom = False
        self._stopped = False

    def _watch(self) -> Any:
        work = bound().work
        if work is not None:
            return work.watch
        running = next((job for job in bound().studio.jobs.active() if job.state == "running"), None)
        return None if running is None else bound().studio.jobs.watch_of(running.id)

    @property
    def interrupted(self) -> bool:
        watch = self._watch()
        return self._stopped or (watch is not None and watch.stopping in ("interrupt", "cancel"))

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        self._stopped = bool(value)
        if value:
            self.interrupt()

    @property
    def stopping_generation(self) -> bool:
        return self.interrupted

    @stopping_generation.setter
    def stopping_generation(self, value: bool) -> None:
        self.interrupted = value

    @property
    def sampling_step(self) -> int:
        watch = self._watch()
        return watch.progress.step if watch is not None and watch.progress.phase == "sampling" else 0

    @sampling_step.setter
    def sampling_step(self, value: int) -> None:
        """Steps are counted by the studio."""

    @property
    def sampling_steps(self) -> int:
        watch = self._watch()
        return watch.progress.steps if watch is not None and watch.progress.phase == "sampling" else 0

    @sampling_steps.setter
    def sampling_steps(self, value: int) -> None:
        """Steps are counted by the studio."""

    @property
    def need_restart(self) -> bool:
        return False

    @need_restart.setter
    def need_restart(self, value: bool) -> None:
        if value:
            bound().studio.stop(restart=True)

    def interrupt(self) -> None:
        """The running job ends after its step and keeps the picture."""
        self._act("interrupt")

    def skip(self) -> None:
        """The running batch ends after its step."""
        self.skipped = True
        self._act("skip")

    def _act(self, how: str) -> None:
        for job in bound().studio.jobs.active():
            if job.state == "running":
                getattr(bound().studio.jobs, how)(job.id)

    def nextjob(self) -> None:
        self.job_no += 1
        self.current_image_sampling_step = 0

    def begin(self, job: str = "(unknown)") -> None:
        self.__init__()  # type: ignore[misc]
        self.job = job
        self.job_timestamp = time.strftime("%Y%m%d%H%M%S")

    def end(self) -> None:
        self.job, self.job_count, self._stopped = "", 0, False

    def assign_current_image(self, image: Any) -> None:
        self.current_image = image
        self.id_live_preview += 1

    @contextmanager
    def framed(self, framing: Framing) -> Iterator[None]:
        """Within: what the job shows of the picture that is being drawn is `framing(picture)`."""
        work = work_now("state.framed")
        before, work.framing = work.framing, framing
        try:
            yield
        finally:
            work.framing = before

    def set_current_image(self) -> None:
        """Previews are drawn when somebody looks."""

    def do_set_current_image(self) -> None:
        """Previews are drawn when somebody looks."""

    def dict(self) -> dict[str, Any]:
        return {
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "stopping_generation": self.stopping_generation,
            "job": self.job,
            "job_count": self.job_count,
            "job_timestamp": self.job_timestamp,
            "job_no": self.job_no,
            "sampling_step": self.sampling_step,
            "sampling_steps": self.sampling_steps,
        }


class TotalTqdm:
    """A1111's progress bar in the console; the studio's progress is in its jobs."""

    def reset(self) -> None:
        """Nothing to show."""

    def update(self) -> None:
        """Nothing to show."""

    def updateTotal(self, new_total: int) -> None:
        """Nothing to show."""

    def clear(self) -> None:
        """Nothing to show."""


class MemoryMonitor:
    """`shared.mem_mon`."""

    disabled = True

    def monitor(self) -> None:
        """Memory is measured when asked for."""

    def read(self) -> dict[str, Any]:
        return {}

    def stop(self) -> dict[str, Any]:
        return {}

    def data(self) -> dict[str, Any]:
        return bound().studio.memory()
