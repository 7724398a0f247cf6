"""Fixtures that every room uses. Nothing here needs a network, and nothing may reach one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import hypothesis
import pytest

# A busy machine is no reason for a test to fail.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Block sockets to anything but this machine: no test may need a network."""
    real_connect = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0]) if isinstance(address, tuple) else ""
            if not (host in ("localhost", "::1") or host.startswith("127.")):
                raise OSError(f"a test tried to reach {host}: tests must not need a network")
        real_connect(self, address)  # type: ignore[arg-type]

    socket.socket.connect = connect  # type: ignore[method-assign, assignment]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recordings and reference material beside the repository; a plain clone has none."""
    folder = ROOT.parent / "shared"
    if not (folder / "parity").is_dir():
        pytest.skip("no ../shared/parity beside this clone: the recordings of the reference are not here")
    return folder


@pytest.fixture(scope="session")
def parity(shared: Path) -> Path:
    """The recordings of A1111: cases, texts, tensors and the small models they were made with."""
    return shared / "parity"
