"""Pictures by address: never from inside this network, whatever the name, the redirect or the notation."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from modules.sdapi import fetch as module
from modules.sdapi.fetch import fetch
from modules.studio.web import is_public
from modules.terms.errors import BadRequest, Refused


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "100.64.0.1",
        ),
        *("::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "ff02::1", "::"),
    ],
)
def test_addresses_of_this_network_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_others_are() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::1111")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        paths = {"/picture": (200, b"data"), "/missing": (404, b""), "/big": (200, b"x" * 5000)}
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[3:].replace("/file", "file:///etc/passwd"))
            self.end_headers()
            return
        status, body = paths.get(self.path, (200, self.headers["Host"].encode()))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def anywhere(address: str) -> bool:
    return True


def test_a_picture_is_fetched_under_its_own_name(elsewhere: str) -> None:
    assert fetch(f"{elsewhere}/picture", allowed=anywhere) == b"data"
    assert fetch(f"{elsewhere}/to/picture", allowed=anywhere) == b"data"
    assert fetch(f"{elsewhere}/name", allowed=anywhere).decode() == elsewhere.removeprefix("http://")


def test_private_addresses_are_refused_by_any_name(elsewhere: str) -> None:
    port = elsewhere.rpartition(":")[2]
    for host in ("localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"):
        with pytest.raises((Refused, BadRequest)):
            fetch(f"http://{host}:{port}/picture")
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "gopher://x"):
        with pytest.raises(Refused):
            fetch(url)


def test_redirects_are_checked_too(elsewhere: str) -> None:
    with pytest.raises(Refused):
        fetch(f"{elsewhere}/to/file", allowed=anywhere)
    with pytest.raises(BadRequest, match="redirected more than"):
        fetch(f"{elsewhere}/to/to/to/to/to/picture", allowed=anywhere)


def test_what_is_too_large_or_not_there_is_refused(elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(BadRequest, match="larger than"):
        fetch(f"{elsewhere}/big", allowed=anywhere)
    with pytest.raises(BadRequest, match="404"):
        fetch(f"{elsewhere}/missing", allowed=anywhere)
