"""How pages and API clients follow jobs: newest state only, no polling, from threads and from asyncio alike."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from types import TracebackType

from modules.studio.job import Job


class Follower:
    """Yields `Job` after `Job`: at once the state that each is in, then the newest state whenever it changes.

    States that nobody fetched in time are left out, never the last one. A follower of one job ends after its final
    state; a follower of all ends when it is closed. Use it in a `with` block, from one thread or one event loop.
    """

    def __init__(
        self,
        look: Callable[[str], Job | None],
        ids: Iterable[str],
        only: str | None,
        forget: Callable[[Follower], None],
    ) -> None:
        self._look = look
        self._only = only
        self._forget = forget
        self._changed: dict[str, None] = dict.fromkeys(ids)
        self._condition = threading.Condition()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    def mark(self, job_id: str) -> None:
        """Called by `Jobs` when something about this job has changed."""
        if self._only is not None and job_id != self._only:
            return
        with self._condition:
            self._changed[job_id] = None
            self._condition.notify_all()
            self._wake_loop()

    def close(self) -> None:
        self._forget(self)
        with self._condition:
            self._closed = True
            self._condition.notify_all()
            self._wake_loop()

    def next(self, timeout: float | None = None) -> Job | None:
        """The next news; None when there are none within `timeout` seconds, or none any more."""
        while True:
            with self._condition:
                if not self._changed and not self._closed:
                    self._condition.wait(timeout)
                if not self._changed:
                    return None
                job_id = next(iter(self._changed))
                del self._changed[job_id]
            # Looked at after it was taken off the list: a change in between puts it on the list again.
            job = self._see(job_id)
            if job is not None:
                return job

    @property
    def ended(self) -> bool:
        """Whether there will be no more news."""
        return self._closed and not self._changed

    @property
    def closed(self) -> bool:
        """Whether nothing will be added to what has not been fetched yet."""
        return self._closed

    async def over(self, active: Callable[[str], bool]) -> None:
        """Returns once the one job that is followed is not `active` any more, or there will be no more news.

        `active` is asked in the loop at every news, so it must not wait.
        """
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        while not self._closed:
            with self._condition:
                self._changed.clear()
                self._wake.clear()
            if self._only is None or not active(self._only):
                return
            await self._wake.wait()

    def _see(self, job_id: str) -> Job | None:
        job = self._look(job_id)
        if self._only is not None and (job is None or job.is_final):
            self.close()
        return job

    def _wake_loop(self) -> None:
        if self._loop is not None and self._wake is not None:
            # The loop may have ended with its client; then nobody waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake.set)

    def __iter__(self) -> Iterator[Job]:
        while not self.ended:
            job = self.next()
            if job is not None:
                yield job

    async def __aiter__(self) -> AsyncIterator[Job]:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        while True:
            with self._condition:
                job_id = next(iter(self._changed), None)
                if job_id is not None:
                    del self._changed[job_id]
                elif self._closed:
                    return
                else:
                    self._wake.clear()
            if job_id is None:
                await self._wake.wait()
                continue
            # Final states come from disk; the loop must not wait for it.
            job = await asyncio.to_thread(self._see, job_id)
            if job is not None:
                yield job

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Audience:
    """All followers there are. `look` tells the present state of a job, None if it is forgotten."""

    def __init__(self, look: Callable[[str], Job | None]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._followers: set[Follower] = set()
        self._listeners: list[Callable[[str | None], None]] = []

    def follow(self, job_id: str) -> Follower:
        """A follower of one job, whose present state is its first news."""
        return self._add(Follower(self._look, [job_id], job_id, self._forget))

    def follow_all(self, job_ids: Iterable[str]) -> Follower:
        """A follower of every job, whose first news are the states of `job_ids`."""
        return self._add(Follower(self._look, job_ids, None, self._forget))

    def listen(self, heard: Callable[[str | None], None]) -> Callable[[], None]:
        """Calls `heard` at once with every id that `tell` gets, and with None at `tell_all`. Returns: what ends it."""
        with self._lock:
            self._listeners = [*self._listeners, heard]

        def end() -> None:
            with self._lock:
                self._listeners = [one for one in self._listeners if one is not heard]

        return end

    def tell(self, job_ids: Iterable[str]) -> None:
        """There is news of these jobs."""
        ids = list(job_ids)
        self._mark(ids)
        for heard in self._listeners:
            for job_id in ids:
                heard(job_id)

    def tell_all(self, job_ids: Iterable[str]) -> None:
        """The order has changed, so that there may be news of all of these, the active jobs."""
        self._mark(job_ids)
        for heard in self._listeners:
            heard(None)

    def _mark(self, job_ids: Iterable[str]) -> None:
        with self._lock:
            followers = list(self._followers)
        if followers:
            for job_id in list(job_ids):
                for follower in followers:
                    follower.mark(job_id)

    def dismiss(self) -> None:
        """There will be no more news."""
        with self._lock:
            followers = list(self._followers)
        for follower in followers:
            follower.close()
        for heard in self._listeners:
            heard(None)

    def _add(self, follower: Follower) -> Follower:
        with self._lock:
            self._followers.add(follower)
        return follower

    def _forget(self, follower: Follower) -> None:
        with self._lock:
            self._followers.discard(follower)

    def __len__(self) -> int:
        return len(self._followers)
