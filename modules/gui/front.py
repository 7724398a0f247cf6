"""What stands in front of Gradio's own app: our scripts go into its page, and no picture can run as the page."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio's assets carry a hash in their names, so they never change; it sends them without Cache-Control
# and the browser asks for each of a hundred anew (measured).
_FOREVER = "public, max-age=31536000, immutable"
# Pictures and uploads come from the same origin as the page: an SVG or HTML among them must not run as the page.
_HARMLESS = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; media-src 'self'"

# Descriptions of Gradio itself for social networks, with a picture on another host.
_NOT_OURS = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>\s*')


class FrontDoor:
    """ASGI app around Gradio's. `head` is put first in the page's <head>, before any script of Gradio runs; `renew` is
    called before each page is sent."""

    def __init__(self, app: ASGIApp, head: str, renew: Callable[[], None]) -> None:
        self._app = app
        self._head = b"<head>" + head.encode()
        self._renew = renew

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _path_inside(scope)
        if path == "/" and scope["method"] == "GET":
            await self._page(scope, receive, send)
        elif path.startswith(("/assets/", "/static/")):
            await self._app(scope, receive, _with_header(send, "Cache-Control", _FOREVER))
        elif path.startswith("/gradio_api/file"):
            harmless = _with_header(send, "Content-Security-Policy", _HARMLESS)
            await self._app(scope, receive, _with_header(harmless, "X-Content-Type-Options", "nosniff"))
        else:
            await self._app(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def insert(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            page = _NOT_OURS.sub(b"", bytes(body)).replace(b"<head>", self._head, 1)
            headers = MutableHeaders(raw=list(start["headers"]))
            headers["Content-Length"] = str(len(page))
            # The page names its files by hash and the jobs by id: an old copy would show old choices.
            headers["Cache-Control"] = "no-cache"
            await send({**start, "headers": headers.raw})
            await send({"type": "http.response.body", "body": page})

        await run_in_threadpool(self._renew)
        # Uncompressed, so that there is a <head> to find; the app around this one compresses.
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._app({**scope, "headers": plain}, receive, insert)


def _path_inside(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _with_header(send: Send, name: str, value: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers[name] = value
            message = {**message, "headers": headers.raw}
        await send(message)

    return sending
