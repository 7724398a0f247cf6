"""The stream of news: made once for all, resumed where it broke, throttled as the settings say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from modules.settings.store import Settings
from modules.studio.feed import KEPT_EVENTS, Event, Feed
from modules.studio.job_watch import JobWatch
from modules.studio.jobs import Job, Jobs, Outcome
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest


class Stepper:
    """A run whose steps the test makes, one by one."""

    def __init__(self) -> None:
        self.drawn = 0
        self.steps: list[threading.Event] = []
        self.done = threading.Event()
        self.watch: JobWatch | None = None
        self.begun = threading.Event()

    def __call__(self, job: Job, watch: JobWatch) -> Outcome:
        self.watch = watch
        self.begun.set()
        self.done.wait(10)
        return Outcome({"prompt": job.request.prompt})

    def step(self, number: int, phase: str = "sampling") -> None:
        assert self.watch is not None
        self.watch(Progress(phase, number, 100), self._draw)  # type: ignore[arg-type]

    def _draw(self) -> Image.Image:
        self.drawn += 1
        return Image.new("RGB", (8, 8))


class Hearer:
    """Keeps what it hears; `until` waits for an event."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ended = threading.Event()
        self._more = threading.Condition()

    def __call__(self, event: Event | None) -> None:
        with self._more:
            if event is None:
                self.ended.set()
            else:
                self.events.append(event)
            self._more.notify_all()

    def until(self, name: str, **wanted: object) -> Event:
        def found() -> Event | None:
            fits = (one for one in self.events if one.name == name and wanted.items() <= one.data.items())
            return next(fits, None)

        with self._more:
            assert self._more.wait_for(lambda: found() is not None, 10), [one.data for one in self.events]
            event = found()
        assert event is not None
        return event


@pytest.fixture
def stepper() -> Stepper:
    return Stepper()


@pytest.fixture
def jobs(tmp_path: Path, stepper: Stepper) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path / "jobs", stepper)
    jobs.start()
    yield jobs
    stepper.done.set()
    jobs.close()


def feed_of(jobs: Jobs, **settings: object) -> Feed:
    now = Settings().with_flat({"live_preview_refresh_period": 50, **settings})
    return Feed(jobs, lambda: now)


def ask(jobs: Jobs, prompt: str = "a cat") -> Job:
    return jobs.submit(GenerationRequest(prompt=prompt))


def test_how_things_stand_comes_first_then_every_change(jobs: Jobs, stepper: Stepper) -> None:
    first = ask(jobs)
    assert stepper.begun.wait(10)
    feed, hearer = feed_of(jobs), Hearer()
    feed.subscribe(hearer)
    assert [view["id"] for view in hearer.events[0].data["running"]] == [first.id]
    second = ask(jobs, "a dog")
    assert hearer.until("queue", count=1).data["waiting"] == [[second.id, "txt2img"]]
    stepper.done.set()
    hearer.until("job", id=first.id, state="done")
    hearer.until("job", id=second.id, state="done")


def test_who_comes_back_gets_what_was_missed(jobs: Jobs, stepper: Stepper) -> None:
    feed, hearer, other = feed_of(jobs), Hearer(), Hearer()
    end = feed.subscribe(hearer)
    job = ask(jobs)
    assert stepper.begun.wait(10)
    stepper.step(1)
    last = hearer.until("job", id=job.id, state="running")
    end()
    feed.subscribe(other)
    stepper.done.set()
    other.until("job", id=job.id, state="done")
    again = Hearer()
    feed.subscribe(again, last.id)
    assert again.until("job", id=job.id, state="done").number > last.number
    assert all(event.number > last.number for event in again.events)
    # An id of another process, or none: how things stand, nothing else.
    for strange in ("ffff.3", "", "nonsense"):
        fresh = Hearer()
        feed.subscribe(fresh, strange)
        assert [event.name for event in fresh.events] == ["queue"]


def test_an_event_is_one_object_for_all(jobs: Jobs, stepper: Stepper) -> None:
    feed, hearers = feed_of(jobs), [Hearer() for _ in range(20)]
    for hearer in hearers:
        feed.subscribe(hearer)
    job = ask(jobs)
    assert stepper.begun.wait(10)
    stepper.step(1)
    told = [hearer.until("job", id=job.id, state="running") for hearer in hearers]
    assert all(event is told[0] for event in told)
    assert told[0].wire is told[0].wire
    assert told[0].wire.startswith(b"id: ") and told[0].wire.endswith(b"\n\n")


def test_progress_keeps_to_the_period_and_draws_nothing(jobs: Jobs, stepper: Stepper) -> None:
    feed, hearer = feed_of(jobs, live_preview_refresh_period=400), Hearer()
    feed.subscribe(hearer)
    job = ask(jobs)
    assert stepper.begun.wait(10)
    for number in range(1, 41):
        stepper.step(number)
    hearer.until("job", id=job.id, step=40)
    told = [event for event in hearer.events if event.name == "job" and event.data["phase"] == "sampling"]
    assert len(told) < 10
    assert stepper.drawn == 0


@pytest.mark.parametrize(
    ("settings", "offered"),
    [
        ({"show_progress_every_n_steps": 10}, {10, 20}),
        ({"show_progress_every_n_steps": 1}, set(range(1, 26))),
        ({"show_progress_every_n_steps": -1}, set()),
        ({"show_progress_every_n_steps": 1, "live_previews_enable": False}, set()),
    ],
)
def test_previews_are_offered_as_the_settings_say(
    jobs: Jobs, stepper: Stepper, settings: dict[str, object], offered: set[int]
) -> None:
    feed, hearer = feed_of(jobs, **settings), Hearer()
    feed.subscribe(hearer)
    ask(jobs)
    assert stepper.begun.wait(10)
    for number in range(1, 26):
        stepper.step(number)
        hearer.until("job", step=number)
    seen = {event.data["preview"] for event in hearer.events if event.name == "job"}
    assert seen - {0} == offered


def test_a_batch_that_is_drawn_is_previewed_when_only_those_are_wanted(jobs: Jobs, stepper: Stepper) -> None:
    feed, hearer = feed_of(jobs, show_progress_every_n_steps=-1), Hearer()
    feed.subscribe(hearer)
    ask(jobs)
    assert stepper.begun.wait(10)
    stepper.step(1)
    assert stepper.watch is not None
    stepper.watch(Progress("decoding", 0, 0))
    assert hearer.until("job", phase="decoding").data["preview"] == 1


def test_settings_that_changed_are_named(jobs: Jobs) -> None:
    feed, hearer = feed_of(jobs), Hearer()
    feed.subscribe(hearer)
    feed.settings_changed(["jpeg_quality"])
    assert hearer.until("settings").data["keys"] == ("jpeg_quality",)


def test_a_long_absence_costs_a_bounded_memory(jobs: Jobs) -> None:
    feed, hearer = feed_of(jobs), Hearer()
    feed.subscribe(hearer)()
    watcher = Hearer()
    feed.subscribe(watcher)
    for number in range(KEPT_EVENTS + 20):
        feed.settings_changed([f"key {number}"])
        watcher.until("settings", keys=(f"key {number}",))
    first = hearer.events[0]
    late = Hearer()
    feed.subscribe(late, first.id)
    assert len(late.events) == KEPT_EVENTS + 1


def test_the_stream_ends_with_the_jobs(jobs: Jobs) -> None:
    feed, hearer = feed_of(jobs), Hearer()
    feed.subscribe(hearer)
    jobs.dismiss()
    assert hearer.ended.wait(10)
    late = Hearer()
    feed.subscribe(late)
    assert late.ended.is_set()
