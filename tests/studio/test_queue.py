"""What the Queue tab builds on: brief lists, an order and a pause that survive, jobs that are forgotten, estimates."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from PIL import Image

from modules.studio.job import Job
from modules.studio.job_brief import brief_of
from modules.studio.job_rates import rates_of, waits_of
from modules.studio.job_store import MIGRATIONS, SCHEMA, VERSION, JobStore
from modules.studio.job_watch import JobWatch
from modules.studio.jobs import Jobs, Outcome
from modules.terms.errors import Interrupted
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest, Hires, Source
from tests.studio.test_jobs import instantly, open_jobs, request


def test_a_list_shows_what_was_asked_and_chosen_without_decoding_requests(tmp_path: Path) -> None:
    def run(job: Job, watch: JobWatch) -> Outcome:
        return Outcome({"model": {"name": "mini"}, "seeds": [42], "images": []})

    asked = GenerationRequest(prompt="a cat", steps=7, width=320, n_iter=2, batch_size=3)
    with open_jobs(tmp_path, run) as jobs:
        job = jobs.submit(asked)
        jobs.start()
        jobs.wait(job.id, 10)
        count, (listed,) = jobs.finished()
        assert count == 1
        assert (listed.brief["prompt"], listed.brief["steps"], listed.brief["pictures"]) == ("a cat", 7, 6)
        assert (listed.brief["model"], listed.brief["chosen_seed"], listed.brief["seed"]) == ("mini", 42, -1)
        again = jobs.retry(job.id)
        assert "model" not in again.brief and again.brief["prompt"] == "a cat"


def test_finished_jobs_are_paged(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs:
        jobs.start()
        asked = [jobs.submit(request(f"{number}")) for number in range(25)]
        jobs.wait(asked[-1].id, 20)
        pages = [jobs.finished(offset, 10) for offset in (0, 10, 20)]
    assert {count for count, _ in pages} == {25}
    assert [job.brief["prompt"] for _, page in pages for job in page] == [f"{number}" for number in reversed(range(25))]


def test_order_and_pause_survive(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs:
        jobs.pause()
        first, second, third = (jobs.submit(request(name)) for name in ("first", "second", "third"))
        jobs.move(third.id, before=first.id)
        jobs.move(first.id)
    with open_jobs(tmp_path) as jobs:
        assert jobs.paused
        assert [job.id for job in jobs.active()] == [third.id, second.id, first.id]


def test_forgetting_leaves_what_waits_and_what_was_saved(tmp_path: Path) -> None:
    saved = tmp_path / "saved.png"

    def run(job: Job, watch: JobWatch) -> Outcome:
        (watch.folder / "kept.png").write_bytes(b"kept")
        saved.write_bytes(b"saved")
        return Outcome({})

    folder = tmp_path / "jobs"
    with open_jobs(folder, run) as jobs:
        asked = GenerationRequest(source=Source((Image.new("RGB", (8, 8), "red"),)))
        done = jobs.submit(asked)
        jobs.start()
        jobs.wait(done.id, 10)
        jobs.pause()
        waiting = jobs.submit(request("later"))
        assert jobs.forget([waiting.id]) == 0
        assert jobs.forget() == 1
        assert [job.id for job in jobs.active()] == [waiting.id]
        assert jobs.get(done.id) is None and jobs.finished() == (0, ())
        assert saved.exists()
        assert not (folder / "kept" / done.id).exists()


def test_folders_of_jobs_that_were_forgotten_before_a_kill_go_at_the_next_start(tmp_path: Path) -> None:
    with open_jobs(tmp_path) as jobs:
        waiting = jobs.submit(request())
    for name in ("gone", waiting.id):
        (tmp_path / "kept" / name).mkdir(parents=True)
    with open_jobs(tmp_path):
        pass
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [waiting.id]


def test_a_file_of_the_first_version_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    old = sqlite3.connect(path)
    old.executescript(SCHEMA.replace(", brief TEXT", ""))
    old.execute(
        "INSERT INTO jobs (id, task_id, kind, client, state, priority, place, submitted, finished, request, options)"
        " VALUES ('a', 't', 'txt2img', '', 'done', 0, 0, 1, 2, 'null', '{}')"
    )
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    store = JobStore(path, lambda request: request)
    _, (job,) = store.finished(0, 10)
    assert (job.id, dict(job.brief)) == ("a", {})
    store.finish("a", Outcome({"model": {"name": "mini"}}), 3.0)
    assert store.finished(0, 10)[1][0].brief == {"model": "mini"}
    store.close()
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone()[0] == VERSION == max(MIGRATIONS) + 1


class Batches:
    """A run of three batches of two steps, as the pipeline tells of them."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.when = (0, 1)
        self.press: list[str] = []
        self.jobs: Jobs | None = None

    def __call__(self, job: Job, watch: JobWatch) -> Outcome:
        interrupted = False
        for batch in range(3):
            try:
                for step in (1, 2):
                    if (batch, step) == self.when and self.jobs is not None:
                        for name in self.press:
                            getattr(self.jobs, name)(job.id)
                    watch(Progress("sampling", step, 2, batch, 3))
                self.done.append(batch)
                watch(Progress("finishing", 0, 0, batch + 1, 3))
            except Interrupted:
                interrupted = True
                break
        return Outcome({}, interrupted=interrupted)


@pytest.mark.parametrize(
    ("press", "when", "done", "interrupted"),
    [
        (["finish_batch"], (0, 1), [0], True),
        (["finish_batch"], (1, 2), [0, 1], True),
        (["finish_batch", "interrupt"], (1, 1), [0], True),
        # There is nothing left to leave out.
        (["finish_batch"], (2, 1), [0, 1, 2], False),
    ],
)
def test_a_job_may_end_between_two_batches(
    tmp_path: Path, press: list[str], when: tuple[int, int], done: list[int], interrupted: bool
) -> None:
    run = Batches()
    run.press, run.when = press, when
    with open_jobs(tmp_path, run) as jobs:
        run.jobs = jobs
        job = jobs.submit(request())
        jobs.start()
        ended = jobs.wait(job.id, 10)
    assert (run.done, ended.state, ended.interrupted) == (done, "done", interrupted)


def test_waiting_jobs_say_when_they_will_be_through() -> None:
    def job(name: str, steps: int, **state: object) -> Job:
        asked = brief_of(GenerationRequest(steps=steps))
        known = {"state": "queued", "submitted": 0.0, "brief": asked, **state}
        return Job(name, name, "txt2img", "", **known)  # type: ignore[arg-type]

    finished = [job("a", 10, state="done", started=0.0, finished=5.0), job("b", 20, state="failed", started=0.0)]
    rates = rates_of(finished)
    assert waits_of([job("d", 20), job("e", 10)], rates) == pytest.approx({"d": 10.0, "e": 15.0})
    running = job("c", 10, state="running", started=time.time() - 6.0, eta=2.0)
    waits = waits_of([running, job("d", 20), job("e", 10)], rates)
    assert waits == pytest.approx({"c": 2.0, "d": 18.0, "e": 26.0}, rel=0.05)
    assert waits_of([job("d", 20)], {}) == {"d": None}


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (GenerationRequest(), GenerationRequest(steps=40)),
        (GenerationRequest(), GenerationRequest(n_iter=2)),
        (GenerationRequest(), GenerationRequest(hires=Hires(scale=2.0))),
        (GenerationRequest(hires=Hires(scale=1.5)), GenerationRequest(hires=Hires(resize_x=1024, resize_y=1024))),
    ],
)
def test_more_to_draw_is_more_work(small: GenerationRequest, large: GenerationRequest) -> None:
    assert brief_of(small)["work"] < brief_of(large)["work"]


def test_what_is_asked_of_a_running_job_can_be_seen(tmp_path: Path) -> None:
    with open_jobs(tmp_path, instantly) as jobs:
        job = jobs.submit(request())
        assert job.view()["stopping"] is None
