"""The line under the pictures: how much memory was taken at most."""

from __future__ import annotations

import sys

import pytest

from modules.studio.peak_memory import peak_memory

LOT = 160 << 20


def taken(size: int) -> int:
    """The peak of a stretch that fills `size` bytes and gives them back."""
    with peak_memory(lambda: None, 8) as figures:
        held = bytearray(size)
        held[::4096] = b"1" * len(held[::4096])
        del held
    return figures["ram"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other kernels keep one peak for the whole life")
def test_the_peak_is_that_of_the_job_and_not_of_an_earlier_one() -> None:
    large, small = taken(LOT), taken(1 << 20)
    assert large - small > LOT // 2


def test_nothing_is_measured_where_nobody_wants_to_know() -> None:
    with peak_memory(lambda: None, 0) as figures:
        pass
    assert figures == {}


def test_a_failure_comes_through() -> None:
    with pytest.raises(ValueError, match="no"), peak_memory(lambda: None, 40):
        raise ValueError("no")
