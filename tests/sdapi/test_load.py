"""Clients at once, good, wrong and hasty ones, as tests/bench/load.py sends more of them to a whole studio."""

from __future__ import annotations

from tests.bench.load import run
from tests.sdapi.serving import Server


def test_everybody_gets_their_own_picture(server: Server) -> None:
    report = run(server.url, requests=40, clients=8)
    assert not report.wrong
    assert (report.answered["good"], report.answered["refused"], report.answered["came back"]) == (28, 8, 4)
    assert server.studio.jobs.active() == []
