"""The door of the server: who may ask, from where, and how much at once.

An ASGI app around everything, the mounted page included, since a web page elsewhere must not be able to drive the
studio through the browser of somebody who has it open (CVE-2024-11045 did, over a WebSocket to 127.0.0.1).
In order: the Host that was asked for, the Origin that asks, the login, the kind and size of the body; on the way
back the headers that keep browsers from doing more than the page needs.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.sdapi.attempts import Attempts
from modules.sdapi.file_door import may_leave, path_asked_for
from modules.sdapi.logins import SESSION, Logins
from modules.sdapi.origins import Origins
from modules.sdapi.page_policy import page_policy
from modules.studio.flag_table import Flags

log = logging.getLogger("atelier.api")

MAX_BODY = 256 << 20
# A value of JSON takes 60 bytes and more in memory, and two in the body: 256 MB of empty lists would take 8 GB.
MAX_COMMAS = 2_000_000
# What file systems take; Gradio's routes fail over longer ones.
LONGEST_NAME = 255
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
API_PATHS = ("/sdapi/", "/controlnet/", "/docs", "/redoc", "/openapi.json", "/api/")
JSON_ONLY = ("/sdapi/", "/controlnet/", "/internal/", "/api/")
# Pictures come as files there. Cross-site forms are kept out by their Origin.
MULTIPART = frozenset({"/api/v2/uploads"})
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOREVER = "public, max-age=31536000, immutable"


def client_of(connection: HTTPConnection) -> str:
    """Whose request this is: the name that was logged in with, else the address it comes from."""
    user = connection.scope.get("atelier_user")
    if user:
        return str(user)
    return connection.client.host if connection.client else ""


class Refusal(Exception):
    """An answer given at the door."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.headers = status, headers or {}


class BodyTooLarge(Exception):
    """Raised into the app while it reads a body that does not end."""


class Guard:
    """`app` behind the door. Give this to the server, not `app`."""

    def __init__(self, app: ASGIApp, flags: Flags, *, max_body: int = MAX_BODY) -> None:
        self._app = app
        self._origins = Origins.from_flags(flags)
        self._logins = Logins.from_flags(flags)
        self._attempts = Attempts()
        self._max_body = max_body
        self._data_dir = flags.data_dir
        self._log_requests = flags.api_log
        self._headers = {"Content-Security-Policy": page_policy(flags.extension_hosts), **HEADERS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        path = path_inside(scope)
        headers = Headers(scope=scope)
        send = self._watched(scope, path, headers, send, began)
        try:
            self._check(scope, path, headers)
        except Refusal as refusal:
            log.info("Refused %s %s: %s", scope.get("method", "WebSocket"), path, refusal)
            await _refuse(scope, receive, send, refusal)
            return
        await self._pass_on(scope, receive, send)

    def _check(self, scope: Scope, path: str, headers: Headers) -> None:
        """Raises: Refusal."""
        socket = scope["type"] == "websocket"
        method = "GET" if socket else scope["method"]
        if not self._origins.knows_host(headers.get("host", "")):
            raise Refusal(
                403,
                f"This studio is not known as {headers.get('host', '')!r}. "
                "If that is its name, start it with --allowed-hosts.",
            )
        if not self._origins.allows(headers, unsafe=socket or method not in SAFE_METHODS):
            raise Refusal(403, "A page of another site may not use this studio. See --cors-allow-origins.")
        if method != "OPTIONS":
            self._check_login(scope, path, headers)
        named = path_asked_for(path)
        if named is not None and not may_leave(named, self._data_dir):
            raise Refusal(403, "Of the studio's own folder only pictures are shown.")
        if any(len(part.encode("utf-8", "replace")) > LONGEST_NAME for part in re.split(r"[/\\=]", path)):
            raise Refusal(404, "No file has so long a name.")
        if socket or method in SAFE_METHODS:
            return
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            raise Refusal(400, "The length of the body is no number.")
        if int(length) > self._max_body:
            raise Refusal(413, f"The body is larger than {self._max_body >> 20} MB.")
        if path.startswith(JSON_ONLY) and (int(length) or "transfer-encoding" in headers):
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            # A form or text/plain needs no permission to be sent across sites; JSON does.
            if kind != "application/json" and not (kind == "multipart/form-data" and path in MULTIPART):
                raise Refusal(415, f"Send application/json, not {kind or 'a body of unknown kind'}.")

    def _check_login(self, scope: Scope, path: str, headers: Headers) -> None:
        address = scope["client"][0] if scope.get("client") else ""
        given = "authorization" in headers
        wait_s = self._attempts.wait_s(address) if given else 0
        if wait_s:
            # A cookie cannot be guessed, and whoever has logged in before shall not be shut out by a stranger.
            headers = Headers(raw=[(name, value) for name, value in headers.raw if name != b"authorization"])
        user = self._logins.user(headers, api=path.startswith(API_PATHS))
        if user is None and wait_s:
            raise Refusal(429, f"Too many wrong passwords: wait for {wait_s} s.", {"Retry-After": str(wait_s)})
        if user is None and given:
            self._attempts.failed(address)
        if user is None:
            raise Refusal(401, "Incorrect username or password", {"WWW-Authenticate": 'Basic realm="atelier"'})
        scope["atelier_user"] = user

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, with a body that ends in time."""
        taken = commas = 0
        answered = False
        refused: BodyTooLarge | None = None
        json = "json" in Headers(scope=scope).get("content-type", "json").lower()

        async def counted() -> Message:
            nonlocal taken, commas, refused
            message = await receive()
            if message["type"] == "http.request":
                body = message.get("body", b"")
                taken += len(body)
                commas += body.count(b",") if json else 0
                if taken > self._max_body:
                    refused = BodyTooLarge(f"The body is larger than {self._max_body >> 20} MB.")
                elif commas > MAX_COMMAS:
                    refused = BodyTooLarge(f"The body has more than {MAX_COMMAS} values.")
                if refused:
                    raise refused
            return message

        async def noting(message: Message) -> None:
            nonlocal answered
            if refused and not answered:
                return  # FastAPI takes what is raised while it reads for a body that is no JSON, and would say so
            answered = True
            await send(message)

        with suppress(BodyTooLarge):
            await self._app(scope, counted if scope["type"] == "http" else receive, noting)
        if refused and not answered:
            await _refuse(scope, receive, send, Refusal(413, str(refused)))

    def _watched(self, scope: Scope, path: str, headers: Headers, send: Send, began: float) -> Send:
        """`send`, with our headers on what goes out."""
        origin = headers.get("origin", "")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(raw=list(message.get("headers", [])))
                for name, value in self._headers.items():
                    out.setdefault(name, value)
                if origin and not self._origins.may_read(origin, headers.get("host", "")):
                    # Gradio greets any origin that speaks to a name other than localhost.
                    for name in [name for name in out if name.startswith("access-control-")]:
                        del out[name]
                if path.startswith("/assets/") and scope.get("method") == "GET" and message["status"] == 200:
                    out.setdefault("Cache-Control", FOREVER)
                session = self._logins.new_session(scope.get("atelier_user"), headers)
                if session:
                    secure = "; Secure" if scope.get("scheme") == "https" else ""
                    out.append("Set-Cookie", f"{SESSION}={session}; HttpOnly; SameSite=Strict; Path=/{secure}")
                took = time.perf_counter() - began
                out["X-Process-Time"] = f"{took:.4f}"
                message = {**message, "headers": out.raw}
                if self._log_requests and path.startswith("/sdapi"):
                    client = scope["client"][0] if scope.get("client") else "?"
                    log.warning("API %s %s %s %s %.4f", message["status"], scope["method"], path, client, took)
            await send(message)

        return sending


def path_inside(scope: Scope) -> str:
    """The path below the one under which a proxy serves the studio."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] or "/" if root and path.startswith(f"{root}/") else path


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": str(refusal)[:120]})
        return
    body = {"error": "HTTPException", "detail": str(refusal), "body": "", "errors": str(refusal)}
    await JSONResponse(body, refusal.status, refusal.headers)(scope, receive, send)
