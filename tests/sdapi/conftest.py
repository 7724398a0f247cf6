"""Servers for the tests of the API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.sdapi.serving import Server, serving


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("studio")) as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The server with default flags; afterwards nothing runs and nothing is held up."""
    yield shared_server
    shared_server.studio.draw_step = lambda job, step: None
    for job in shared_server.studio.jobs.active():
        shared_server.studio.jobs.cancel(job.id)
    while shared_server.studio.jobs.active():
        time.sleep(0.01)


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`served(api_auth="a:b")` is a server with those flags."""
    with ExitStack() as stack:
        yield lambda **flags: stack.enter_context(serving(tmp_path, **flags))
