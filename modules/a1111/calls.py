"""Functions of extensions that draw or use the models take their turn in the studio's queue like any other job."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modules.a1111.bound import Work, bound
from modules.terms.errors import Cancelled, WebuiError
from modules.terms.hosted_call import HostedCall

if TYPE_CHECKING:
    from modules.generation.tools import Tools
    from modules.studio.job import Job
    from modules.studio.job_watch import JobWatch

KIND = "extension"
LOOK_AGAIN_S = 0.2


@dataclass
class Turn:
    """Somebody who waits for the worker. `work`: set before `begun`. `failed`: what went wrong, set before `ended`."""

    begun: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    work: Work | None = None
    failed: str = ""


class Turns:
    """Those who wait, by token."""

    def __init__(self) -> None:
        self._waiting: dict[str, Turn] = {}

    def hold(self, job: Job, tools: Tools, watch: JobWatch) -> None:
        """In the worker: lets the one who waits have its turn. Raises: WebuiError with what it raised."""
        turn = self._waiting.get(job.request.token)
        if turn is None:
            raise WebuiError(f"{job.request.what or 'A function of an extension'} has not survived the restart.")
        turn.work = Work(job, tools, watch, by_script=True)
        turn.begun.set()
        while not turn.ended.wait(LOOK_AGAIN_S):
            if bound().studio.jobs.closing:
                raise Cancelled("The studio was stopped.")
        if turn.failed:
            raise WebuiError(turn.failed)

    @contextmanager
    def taken(self, what: str, task_id: str | None = None) -> Iterator[Work]:
        """Within: this thread works in the place of the worker, so that `process_images` and its like do.

        One who has a turn already keeps it. Raises: Cancelled if the turn was taken out of the queue.
        """
        here = bound()
        if here.work is not None:
            yield here.work
            return
        token = uuid.uuid4().hex
        turn = self._waiting[token] = Turn()
        try:
            job = here.studio.submit(HostedCall(token, what), kind=KIND, task_id=task_id)
            while not turn.begun.wait(LOOK_AGAIN_S):
                now = here.studio.jobs.get(job.id)
                if now is None or now.is_final:
                    raise Cancelled(f"{what} was taken out of the queue.")
            assert turn.work is not None  # set before `begun`
            with here.working(turn.work) as work:
                yield work
        except Exception as error:
            turn.failed = f"{type(error).__name__}: {error}"
            raise
        finally:
            del self._waiting[token]
            turn.ended.set()
