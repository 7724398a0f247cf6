"""What the start was spent on."""

from __future__ import annotations

from modules.studio.start_times import StartTimes


def test_parts_follow_each_other_from_the_beginning_of_the_process() -> None:
    times = StartTimes()
    times.lap("first")
    times.lap("second")
    times.lap("first")
    assert list(times.records) == ["first", "second"]
    # The tests began long before: that is in the first part alone.
    assert times.records["first"] > times.records["second"] >= 0
    assert "first:" in str(times)
    assert str(times).startswith("Startup time: ")
