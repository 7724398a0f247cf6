"""Servers that misbehave, and downloads that may reach exactly them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modules.checkpoints.hashes import HashCache
from modules.studio.downloads import transfer
from modules.studio.downloads.downloads import Downloads
from modules.studio.downloads.keys import Keys
from modules.studio.downloads.links import Sites
from modules.studio.downloads.sites import Asker
from modules.studio.flag_table import Flags
from modules.studio.uploads import Uploads
from tests.studio.downloads.bad_server import OPEN, BadServer, allowed, bad_server


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LONGEST_PAUSE_S", 0.01)


@pytest.fixture(scope="session")
def running_server() -> Iterator[BadServer]:
    with bad_server() as server:
        yield server


@pytest.fixture
def server(running_server: BadServer) -> BadServer:
    running_server.paths.clear()
    running_server.asked.clear()
    return running_server


@pytest.fixture
def store() -> Iterator[BadServer]:
    """Another host, to which sites send on."""
    with bad_server(OPEN[1]) as server:
        yield server


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "private" / "keys.json", {})


@pytest.fixture
def asker(server: BadServer, keys: Keys) -> Asker:
    """Both sites are the misbehaving server."""
    return Asker(Sites(server.url, server.url), keys.get, allowed)


@pytest.fixture
def flags(tmp_path: Path) -> Flags:
    return Flags(data_dir=tmp_path / "data")


@pytest.fixture
def make_downloads(flags: Flags, asker: Asker, tmp_path: Path) -> Iterator[Callable[[], Downloads]]:
    made: list[Downloads] = []

    def make() -> Downloads:
        uploads = Uploads(tmp_path / "uploads", flags)
        made.append(Downloads(tmp_path / "downloads.json", flags, uploads, HashCache(), lambda: asker))
        return made[-1]

    yield make
    for downloads in made:
        downloads.close()


@pytest.fixture
def downloads(make_downloads: Callable[[], Downloads]) -> Downloads:
    return make_downloads()
