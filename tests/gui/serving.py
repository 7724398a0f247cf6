"""The page and the API of a stand-in studio on a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from modules.gui.page import mount
from modules.sdapi.server import guarded, make_app
from tests.gui.stand_in import StandIn


def app_of(studio: StandIn) -> ASGIApp:
    """What webui.py serves, over the stand-in."""
    app = make_app(studio)
    mount(app, studio)
    return guarded(app, studio.flags)


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address of `app`, served by uvicorn in a thread on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(5)
