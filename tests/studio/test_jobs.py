"""Jobs: order, states, stopping, following, failing alone. What a SIGKILL does stands in test_jobs_killed.py."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from modules.studio.job_watch import JobWatch
from modules.studio.jobs import Job, Jobs, Outcome, Retention
from modules.terms.errors import BadRequest, Interrupted, NotFound, OutOfMemory, Skipped, WebuiError
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest

Run = Callable[[Job, JobWatch], Outcome]


def request(prompt: str = "a cat") -> GenerationRequest:
    return GenerationRequest(prompt=prompt)


def instantly(job: Job, watch: JobWatch) -> Outcome:
    return Outcome({"prompt": job.request.prompt})


@contextmanager
def open_jobs(folder: Path, run: Run = instantly, **options: object) -> Iterator[Jobs]:
    jobs = Jobs(folder, run, **options)
    try:
        yield jobs
    finally:
        jobs.close(timeout=5)


class Gate:
    """A run that waits in its steps until it is told to go on."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.batches: list[str] = []

    def __call__(self, job: Job, watch: JobWatch) -> Outcome:
        self.batches.clear()
        watch(Progress("loading", 0, 0, 0, 2))
        interrupted = False
        for batch in range(2):
            try:
                for step in range(1, 1001):
                    watch(Progress("sampling", step, 1000, batch, 2), lambda: Image.new("RGB", (8, 8)))
                    self.entered.set()
                    if not self.go.wait(0.005):
                        continue
            except Skipped:
                self.batches.append("skipped")
                continue
            except Interrupted:
                self.batches.append("interrupted")
                interrupted = True
                break
            finally:
                watch(Progress("decoding", 0, 0, batch, 2))
            self.batches.append("whole")
        return Outcome({}, interrupted=interrupted)


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[tuple[Jobs, Gate]]:
    gate = Gate()
    with open_jobs(tmp_path, gate) as jobs:
        jobs.start()
        yield jobs, gate
        gate.go.set()


def test_a_job_is_on_disk_before_it_runs(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs:
        job = jobs.submit(request("a dog"), client="me", task_id="task(mine)", options={"save_samples": False})
        assert job.state == "queued"
    with open_jobs(tmp_path) as jobs:
        found = jobs.get(job.id)
        assert found is not None
        assert (found.request, found.client, found.options) == (request("a dog"), "me", {"save_samples": False})
        assert jobs.get("task(mine)").id == job.id


def test_a_job_runs_to_its_result(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs:
        job = jobs.submit(request("a dog"))
        jobs.start()
        done = jobs.wait(job.id, timeout=10)
        assert (done.state, done.result, done.fraction) == ("done", {"prompt": "a dog"}, 1.0)
    with open_jobs(tmp_path) as jobs:
        assert jobs.get(job.id).result == {"prompt": "a dog"}
        assert jobs.active() == []


def test_clients_take_turns_and_each_keeps_its_order(tmp_path: Path) -> None:
    ran: list[str] = []

    def run(job: Job, watch: JobWatch) -> Outcome:
        ran.append(job.request.prompt)
        return Outcome({})

    with open_jobs(tmp_path, run) as jobs:
        for number in range(4):
            jobs.submit(request(f"many {number}"), client="many")
        jobs.submit(request("one"), client="one")
        jobs.submit(request("two 0"), client="two")
        last = jobs.submit(request("two 1"), client="two")
        expected = ["many 0", "one", "two 0", "many 1", "two 1", "many 2", "many 3"]
        assert [job.request.prompt for job in jobs.active()] == expected
        assert [job.position for job in jobs.active()] == list(range(7))
        jobs.start()
        jobs.wait(last.id, timeout=10)
        while jobs.active():
            time.sleep(0.01)
        assert ran == expected


def test_a_client_that_comes_back_at_once_does_not_push_in(tmp_path: Path) -> None:
    """Turns are remembered: sending the next job only when the last is done gains no place over one who queued."""
    ran: list[str] = []

    def run(job: Job, watch: JobWatch) -> Outcome:
        ran.append(job.client)
        if job.client == "hasty" and ran.count("hasty") < 4:
            jobs.submit(request(), client="hasty")
        return Outcome({})

    with open_jobs(tmp_path, run) as jobs:
        for _ in range(4):
            jobs.submit(request(), client="patient")
        jobs.submit(request(), client="hasty")
        jobs.start()
        while jobs.active():
            time.sleep(0.01)
        assert max(abs(ran[:n].count("hasty") - ran[:n].count("patient")) for n in range(1, 9)) <= 1


def test_the_queue_can_be_reordered_and_keeps_it(tmp_path: Path) -> None:
    def prompts(jobs: Jobs) -> str:
        return "".join(job.request.prompt for job in jobs.active())

    with open_jobs(tmp_path) as jobs:
        ids = {prompt: jobs.submit(request(prompt)).id for prompt in "abcde"}
        jobs.move(ids["e"], before=ids["b"])
        assert prompts(jobs) == "aebcd"
        jobs.move(ids["a"])
        assert prompts(jobs) == "ebcda"
        jobs.move(ids["d"], before=ids["e"])
        assert prompts(jobs) == "debca"
        jobs.prioritise(ids["c"], 5)
        assert prompts(jobs) == "cdeba"
        jobs.move(ids["a"], before=ids["c"])
        assert prompts(jobs) == "acdeb"
        jobs.move(ids["a"], before=ids["b"])
        assert prompts(jobs) == "cdeab"
        for _ in range(100):  # between the same two neighbours, again and again
            jobs.move(ids["b"], before=ids["a"])
            jobs.move(ids["a"], before=ids["b"])
        assert prompts(jobs) == "cdeab"
        with pytest.raises(NotFound):
            jobs.move("nothing")
    with open_jobs(tmp_path) as jobs:
        assert prompts(jobs) == "cdeab"


def test_pausing_outlives_the_process(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs:
        jobs.pause()
    with open_jobs(tmp_path) as jobs:
        assert jobs.paused
        jobs.start()
        job = jobs.submit(request())
        assert jobs.wait(job.id, timeout=0.1).state == "queued"
        jobs.resume()
        assert jobs.wait(job.id, timeout=10).state == "done"


@pytest.mark.parametrize(
    ("error", "words", "status"),
    [
        (BadRequest("There is no sampler 'x'."), "There is no sampler 'x'.", 422),
        (OutOfMemory("It needs 9 GB."), "It needs 9 GB.", 507),
        (MemoryError(), "not enough memory", 507),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError", 500),
        (OSError(28, "No space left on device"), "No space left", 500),
    ],
)
def test_a_failing_job_fails_alone(tmp_path: Path, error: Exception, words: str, status: int) -> None:
    def run(job: Job, watch: JobWatch) -> Outcome:
        if job.request.prompt == "bad":
            raise error
        return Outcome({})

    with open_jobs(tmp_path, run) as jobs:
        bad, good = jobs.submit(request("bad")), jobs.submit(request("good"))
        jobs.start()
        failed = jobs.wait(bad.id, timeout=10)
        assert failed.state == "failed"
        assert words in failed.error
        assert failed.error_status == status
        assert jobs.wait(good.id, timeout=10).state == "done"


def test_an_outcome_that_is_no_json_fails_the_job_not_the_worker(tmp_path: Path) -> None:
    with open_jobs(
        tmp_path, lambda job, watch: Outcome({"x": object()} if job.request.prompt == "bad" else {})
    ) as jobs:
        bad, good = jobs.submit(request("bad")), jobs.submit(request("good"))
        jobs.start()
        assert jobs.wait(bad.id, timeout=10).state == "failed"
        assert jobs.wait(good.id, timeout=10).state == "done"


def test_interrupt_keeps_the_picture(gated: tuple[Jobs, Gate]) -> None:
    jobs, gate = gated
    job = jobs.submit(request())
    gate.entered.wait(10)
    jobs.interrupt(job.id)
    jobs.interrupt(job.id)  # a second press changes nothing
    done = jobs.wait(job.id, timeout=10)
    assert (done.state, done.interrupted, gate.batches) == ("done", True, ["interrupted"])


def test_skip_goes_on_with_the_next_batch(gated: tuple[Jobs, Gate]) -> None:
    jobs, gate = gated
    job = jobs.submit(request())
    gate.entered.wait(10)
    jobs.skip(job.id)
    while not gate.batches:
        time.sleep(0.005)
    gate.go.set()
    done = jobs.wait(job.id, timeout=20)
    assert (done.state, done.interrupted, gate.batches) == ("done", False, ["skipped", "whole"])


def test_cancel_throws_it_away(gated: tuple[Jobs, Gate]) -> None:
    jobs, gate = gated
    running, waiting = jobs.submit(request()), jobs.submit(request())
    gate.entered.wait(10)
    jobs.cancel(waiting.id)
    jobs.cancel(running.id)
    for job in (running, waiting):
        ended = jobs.wait(job.id, timeout=10)
        assert (ended.state, ended.result) == ("cancelled", None)
    jobs.cancel(running.id)  # it has ended: nothing happens
    assert jobs.get(running.id).state == "cancelled"


def test_interrupt_before_the_first_step_cancels(tmp_path: Path) -> None:
    loading, go = threading.Event(), threading.Event()

    def run(job: Job, watch: JobWatch) -> Outcome:
        loading.set()
        go.wait(10)
        watch(Progress("encoding"))
        raise AssertionError("it should have been stopped")

    with open_jobs(tmp_path, run) as jobs:
        jobs.start()
        job = jobs.submit(request())
        loading.wait(10)
        jobs.interrupt(job.id)
        go.set()
        ended = jobs.wait(job.id, timeout=10)
        assert (ended.state, "before its first step" in ended.error) == ("cancelled", True)


def test_retry_asks_the_same_again(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs:
        job = jobs.submit(request("a dog"), options={"x": 1})
        with pytest.raises(BadRequest):
            jobs.retry(job.id)
        jobs.start()
        jobs.wait(job.id, timeout=10)
        again = jobs.wait(jobs.retry(job.id).id, timeout=10)
        assert again.id != job.id
        assert (again.request, again.options, again.state) == (job.request, {"x": 1}, "done")


def test_a_clean_stop_puts_the_running_job_back_in_front(tmp_path: Path) -> None:
    gate = Gate()
    with open_jobs(tmp_path, gate) as jobs:
        first = jobs.submit(request("first"))
        jobs.submit(request("second"))
        jobs.start()
        gate.entered.wait(10)
    with open_jobs(tmp_path) as jobs:
        assert [job.request.prompt for job in jobs.active()] == ["first", "second"]
        assert jobs.get(first.id).starts == 0


def test_two_processes_may_not_share_a_queue(tmp_path: Path) -> None:
    with open_jobs(tmp_path):
        code = f"from pathlib import Path; from modules.studio.jobs import Jobs; Jobs(Path({str(tmp_path)!r}), print)"
        root = Path(__file__).resolve().parents[2]
        other = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
        assert other.returncode != 0
        assert "Another running studio uses" in other.stderr


def test_a_broken_database_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"this is no database" * 400)
    with open_jobs(tmp_path) as jobs:
        jobs.start()
        assert jobs.wait(jobs.submit(request()).id, timeout=10).state == "done"
    assert list(tmp_path.glob("jobs.sqlite.broken-*"))


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "jobs.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(WebuiError, match="newer version"):
        Jobs(tmp_path, instantly)


def test_old_rows_are_pruned_pictures_never(tmp_path: Path) -> None:
    picture = tmp_path / "outputs.png"
    picture.write_bytes(b"a picture")

    def run(job: Job, watch: JobWatch) -> Outcome:
        (watch.folder / "kept.png").write_bytes(b"kept")
        from modules.studio.jobs import SavedFile

        return Outcome({}, (SavedFile(picture, ""),))

    with open_jobs(tmp_path / "jobs", run, retention=Retention(count=2)) as jobs:
        jobs.start()
        ids = [jobs.wait(jobs.submit(request()).id, timeout=10).id for _ in range(5)]
        while len(jobs.history()) > 2:
            time.sleep(0.01)
        assert [job.id for job in jobs.history()] == ids[:2:-1]
        assert jobs.get(ids[0]) is None
        deadline = time.monotonic() + 5
        while len(list((tmp_path / "jobs" / "kept").iterdir())) > 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert {path.name for path in (tmp_path / "jobs" / "kept").iterdir()} == set(ids[3:])
    assert picture.exists()


def test_a_preview_is_drawn_only_when_somebody_looks(tmp_path: Path) -> None:
    drawn: list[int] = []
    stepped, go = threading.Event(), threading.Event()

    def draw() -> Image.Image:
        drawn.append(1)
        return Image.new("RGB", (4, 4))

    def run(job: Job, watch: JobWatch) -> Outcome:
        for step in range(1, 6):
            watch(Progress("sampling", step, 5), draw)
        stepped.set()
        go.wait(10)
        return Outcome({})

    with open_jobs(tmp_path, run) as jobs:
        jobs.start()
        job = jobs.submit(request())
        stepped.wait(10)
        assert not drawn
        assert jobs.preview(job.id).number == 5
        assert jobs.preview(job.id).image.size == (4, 4)
        assert len(drawn) == 1
        assert jobs.get(job.id).fraction == 1.0
        assert jobs.get(job.id).preview_number == 5
        go.set()
        jobs.wait(job.id, timeout=10)
        assert jobs.preview(job.id) is None


def test_a_broken_preview_does_not_touch_the_job(tmp_path: Path) -> None:
    stepped, go = threading.Event(), threading.Event()

    def run(job: Job, watch: JobWatch) -> Outcome:
        watch(Progress("sampling", 1, 2), lambda: Image.new("nonsense", (1, 1)))
        stepped.set()
        go.wait(10)
        return Outcome({})

    with open_jobs(tmp_path, run) as jobs:
        jobs.start()
        job = jobs.submit(request())
        stepped.wait(10)
        assert jobs.preview(job.id) is None
        go.set()
        assert jobs.wait(job.id, timeout=10).state == "done"


def test_followers_see_the_last_state_whenever_they_come(tmp_path: Path) -> None:
    """A slow follower misses steps in between, but never the end; one who comes after the end gets it at once."""

    def run(job: Job, watch: JobWatch) -> Outcome:
        for step in range(200):
            watch(Progress("sampling", step, 200))
        return Outcome({})

    with open_jobs(tmp_path, run) as jobs:
        jobs.start()
        for _ in range(20):
            job = jobs.submit(request())
            with jobs.follow(job.id) as follower:
                seen = [news.state for news in follower]
            assert seen[-1] == "done"
            assert len(seen) <= 203
            with jobs.follow(job.id) as follower:
                assert [news.state for news in follower] == ["done"]


def test_asyncio_followers_do_not_poll_and_see_the_end(tmp_path: Path) -> None:
    gate = Gate()

    async def follow(jobs: Jobs) -> list[list[str]]:
        job = await asyncio.to_thread(jobs.submit, request())

        async def one() -> list[str]:
            with jobs.follow(job.id) as follower:
                return [news.state async for news in follower]

        async def release() -> list[str]:
            await asyncio.to_thread(gate.entered.wait, 10)
            jobs.interrupt(job.id)
            return [(await jobs.wait_async(job.id)).state]

        return await asyncio.wait_for(asyncio.gather(one(), one(), release()), 20)

    with open_jobs(tmp_path, gate) as jobs:
        jobs.start()
        states = asyncio.run(follow(jobs))
        assert [seen[-1] for seen in states] == ["done"] * 3
        assert states[0][0] in ("queued", "running")


def test_a_follower_of_all_hears_of_new_jobs(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs, jobs.follow_all() as follower:
        assert follower.next(timeout=0.01) is None
        job = jobs.submit(request())
        assert follower.next(timeout=5).id == job.id
        jobs.start()
        deadline = time.monotonic() + 10
        while (news := follower.next(timeout=1)) is None or news.state != "done":
            assert time.monotonic() < deadline


def test_waiting_ends_when_the_studio_stops(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs:
        job = jobs.submit(request())
        threading.Timer(0.1, jobs.close).start()
        assert jobs.get(job.id).state == "queued"
        with jobs.follow(job.id) as follower:
            assert [news.state for news in follower] == ["queued"]


def test_eta_falls_as_the_job_goes_on(tmp_path: Path) -> None:
    etas: list[float | None] = []

    def run(job: Job, watch: JobWatch) -> Outcome:
        for step in range(1, 11):
            watch(Progress("sampling", step, 10))
            etas.append(watch.eta)
            time.sleep(0.01)
        return Outcome({})

    with open_jobs(tmp_path, run) as jobs:
        jobs.start()
        jobs.wait(jobs.submit(request()).id, timeout=10)
    assert etas[0] is None
    assert etas[1] > etas[-1]
    assert etas[-1] == 0.0


def test_no_torch_here() -> None:
    code = "import modules.studio.jobs, sys; sys.exit('torch' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
