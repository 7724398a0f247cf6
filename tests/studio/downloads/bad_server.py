"""A server that misbehaves in every way that a test asks for, and the addresses at which a test may reach it.

It listens on 127.0.0.2 and .3, which stand for the open internet; 127.0.0.1 stays what it is: this machine.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

OPEN = ("127.0.0.2", "127.0.0.3")


def allowed(address: str) -> bool:
    return address in OPEN


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Behaviour:
    """How one path is answered.

    drops: so many answers break off, each after `breaks_at` bytes. says: the length it claims. etags: of the answers,
    the last of them from then on; contents likewise. ranges: whether it can go on in the middle.
    """

    contents: list[bytes] = field(default_factory=lambda: [b""])
    etags: list[str] = field(default_factory=lambda: ['"one"'])
    drops: int = 0
    breaks_at: int = 1000
    says: int | None = None
    ranges: bool = True
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    needs: str = ""
    chunked: bool = False


class BadServer:
    """`paths`: path -> Behaviour. `asked`: (path, headers) of every request so far."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.paths: dict[str, Behaviour] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def serves(self, path: str, content: bytes = b"", **how: Any) -> str:
        """The address of `path`, which now is answered with `content`."""
        self.paths[path] = Behaviour(**{"contents": [content], **how})
        return f"{self.url}{path}"

    def tells(self, path: str, value: Any) -> str:
        return self.serves(path, json.dumps(value).encode(), headers={"Content-Type": "application/json"})

    def redirects(self, path: str, target: str, **how: Any) -> str:
        return self.serves(path, status=302, headers={"Location": target}, **how)

    def ranges_asked(self, path: str) -> list[str | None]:
        return [headers.get("range") for asked, headers in self.asked if asked == path]


@contextmanager
def bad_server(host: str = OPEN[0]) -> Iterator[BadServer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            place.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
            behaviour = place.paths.get(path)
            if behaviour is None or (behaviour.needs and self.headers.get("Authorization") != behaviour.needs):
                self.answer(404 if behaviour is None else 401, {}, b"")
                return
            self.serve(behaviour)

        def serve(self, behaviour: Behaviour) -> None:
            content, etag = _next(behaviour.contents), _next(behaviour.etags)
            headers = {"ETag": etag, "Content-Type": "application/octet-stream", **behaviour.headers}
            status, begin = behaviour.status, 0
            wanted = self.headers.get("Range")
            if wanted and behaviour.ranges and self.headers.get("If-Range", etag) == etag:
                begin = int(wanted.removeprefix("bytes=").rstrip("-"))
                if begin >= len(content):
                    self.answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
                    return
                status, headers["Content-Range"] = 206, f"bytes {begin}-{len(content) - 1}/{len(content)}"
            body = content[begin:]
            if behaviour.drops > 0:
                behaviour.drops -= 1
                self.answer(status, headers, body, cut=behaviour.breaks_at)
                return
            self.answer(status, headers, body, says=behaviour.says, delay=behaviour.delay, chunked=behaviour.chunked)

        def answer(
            self,
            status: int,
            headers: dict[str, str],
            body: bytes,
            *,
            cut: int | None = None,
            says: int | None = None,
            delay: float = 0.0,
            chunked: bool = False,
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if chunked:
                self.close_connection = True
                self.send_header("Connection", "close")
            else:
                self.send_header("Content-Length", str(len(body) if says is None else says))
            self.end_headers()
            try:
                for at in range(0, len(body[:cut]), 1000):
                    self.wfile.write(body[:cut][at : at + 1000])
                    time.sleep(delay)
            except (BrokenPipeError, ConnectionResetError):
                pass
            if cut is not None or says is not None:
                self.close_connection = True

        def log_message(self, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    place = BadServer(host, server.server_port)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()


def _next(values: list[Any]) -> Any:
    return values.pop(0) if len(values) > 1 else values[0]


def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until `done`."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
