"""The door: one test per known way in. Attacks are sent as the attacker's page or program would send them."""

from __future__ import annotations

import asyncio
import base64
import http.client
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest
import websockets
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from websockets.sync.client import connect

from modules.sdapi.attempts import WITHIN_S, WRONG, Attempts
from modules.sdapi.origins import Origins
from modules.sdapi.security import MAX_COMMAS, Guard
from modules.studio.flag_table import Flags
from tests.sdapi.serving import Server

EVIL = "http://evil.example"
QUICK = {"prompt": "a cat", "steps": 1, "width": 64, "height": 64}


def socket_address(server: Server, path: str = "/internal/jobs") -> str:
    return server.url.replace("http", "ws") + path


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


# another site's page


def test_a_web_page_elsewhere_cannot_open_a_websocket(server: Server) -> None:
    """CVE-2024-11045: any page could talk to ws://127.0.0.1:7860 and install code."""
    for origin in (EVIL, "null", "http://localhost.evil.example", server.url.replace("127.0.0.1", "evil.example")):
        with pytest.raises(websockets.InvalidStatus) as refused:
            connect(socket_address(server), origin=origin)
        assert refused.value.response.status_code == 403
    connect(socket_address(server), origin=server.url).close()
    connect(socket_address(server)).close()


def test_a_web_page_elsewhere_cannot_post(server: Server) -> None:
    before = len(server.studio.jobs.history())
    for headers in (
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert server.client.post("/sdapi/v1/txt2img", json=QUICK, headers=headers).status_code == 403
        assert server.client.post("/gradio_api/upload", headers=headers).status_code == 403
    assert len(server.studio.jobs.history()) == before
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert server.client.post("/sdapi/v1/txt2img", json=QUICK, headers=own).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "text/json"]
)
def test_forms_cannot_change_anything(client: httpx.Client, kind: str) -> None:
    """A simple form needs no permission to be sent across sites (ComfyUI-Manager #2818)."""
    response = client.post("/sdapi/v1/options", content='{"samples_save": false}', headers={"Content-Type": kind})
    assert response.status_code == 415
    assert client.get("/sdapi/v1/options").json()["samples_save"] is True


def test_parts_of_the_studio_are_not_embedded_elsewhere(client: httpx.Client) -> None:
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/sdapi/v1/options", headers=cross).status_code == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/docs", headers=link).status_code == 200


def test_a_foreign_origin_reads_nothing(client: httpx.Client) -> None:
    response = client.get("/sdapi/v1/options", headers={"Origin": EVIL})
    assert "access-control-allow-origin" not in response.headers
    preflight = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in client.options("/sdapi/v1/txt2img", headers=preflight).headers


# DNS rebinding


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "192.168.1.5", "0.0.0.0"]
)
def test_a_strange_host_is_refused(server: Server, host: str) -> None:
    response = server.client.get("/sdapi/v1/options", headers={"Host": host})
    assert response.status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9", "[::1]:7860", "a.localhost"])
def test_loopback_has_many_names(client: httpx.Client, host: str) -> None:
    assert client.get("/internal/ping", headers={"Host": host}).status_code == 200


def test_a_request_without_host_is_refused(server: Server) -> None:
    port = urlsplit(server.url).port
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(b"GET /sdapi/v1/options HTTP/1.0\r\n\r\n")
        assert b" 40" in raw.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize(
    ("flags", "known", "unknown"),
    [
        ({"listen": True}, ["192.168.1.5", "localhost", "[fe80::1]", socket.gethostname()], ["evil.example"]),
        ({"server_name": "studio.lan"}, ["studio.lan", "10.0.0.1"], ["other.lan"]),
        ({"allowed_hosts": "my.proxy, .tail.net"}, ["my.proxy", "box.tail.net"], ["x.my.proxy", "tail.net.evil"]),
        ({"share": True}, ["abc.gradio.live"], ["gradio.live.evil.example", "192.168.1.5"]),
    ],
)
def test_hosts_by_flags(flags: dict[str, object], known: list[str], unknown: list[str]) -> None:
    origins = Origins.from_flags(Flags(**flags))
    assert all(origins.knows_host(f"{host}:7860") for host in known)
    assert not any(origins.knows_host(host) for host in unknown)


# CORS


@pytest.mark.parametrize(
    ("flags", "allowed", "refused"),
    [
        ({"cors_allow_origins": "https://good.example,http://b.example:3"}, "https://good.example", EVIL),
        (
            {"cors_allow_origins_regex": r"https://.*\.good\.example"},
            "https://a.good.example",
            "https://good.example.evil",
        ),
        ({"cors_allow_origins": "*"}, EVIL, "null"),
    ],
)
def test_configured_origins_may_use_the_api(
    served: Callable[..., Server], flags: dict[str, str], allowed: str, refused: str
) -> None:
    client = served(**flags).client
    response = client.post("/sdapi/v1/txt2img", json=QUICK, headers={"Origin": allowed, "Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] in (allowed, "*")
    preflight = {
        "Origin": allowed,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    assert client.options("/sdapi/v1/txt2img", headers=preflight).status_code == 200
    assert client.post("/sdapi/v1/txt2img", json=QUICK, headers={"Origin": refused}).status_code == 403


# logins


def test_api_login(served: Callable[..., Server]) -> None:
    client = served(api_auth="ann:secret:with:colons,bob:b").client
    for headers in ({}, basic("ann:wrong"), basic("ann"), basic("nobody:b"), {"Authorization": "Basic ???"}):
        response = client.get("/sdapi/v1/options", headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic")
        assert response.json()["detail"] == "Incorrect username or password"
    assert client.get("/docs").status_code == 401
    assert client.get("/internal/ping").status_code == 200
    for headers in (basic("ann:secret:with:colons"), basic("bob:b"), {"Authorization": "Bearer secret:with:colons"}):
        assert client.get("/sdapi/v1/options", headers=headers).status_code == 200
    assert client.get("/sdapi/v1/options", headers={"Authorization": "Bearer b2"}).status_code == 401


def test_page_login_closes_every_door(served: Callable[..., Server]) -> None:
    """In A1111 --gradio-auth left the API, /internal and the extensions' routes open."""
    server = served(gradio_auth="ann:a")
    for path in ("/", "/sdapi/v1/options", "/internal/ping", "/openapi.json", "/gradio_api/info", "/theme.css"):
        assert server.client.get(path).status_code == 401
    with pytest.raises(websockets.InvalidStatus):
        connect(socket_address(server))
    connect(socket_address(server), additional_headers=basic("ann:a")).close()


def test_a_browser_that_logged_in_may_open_websockets(served: Callable[..., Server]) -> None:
    """Safari does not repeat the login there, so a cookie stands for it; a changed cookie does not."""
    server = served(gradio_auth="ann:a,bob:b")
    assert "set-cookie" not in server.client.get("/docs", headers=basic("ann:a")).headers
    response = server.client.get("/docs", headers={**basic("ann:a"), "Accept": "text/html"})
    cookie = response.headers["set-cookie"].partition(";")[0]
    assert "HttpOnly; SameSite=Strict" in response.headers["set-cookie"]
    connect(socket_address(server), additional_headers={"Cookie": cookie}).close()
    name, _, value = cookie.partition("=")
    forged = f"{name}={base64.urlsafe_b64encode(b'bob').decode().rstrip('=')}.{value.partition('.')[2]}"
    for wrong in (forged, f"{name}=", f"{name}=x.y", cookie[:-1]):
        with pytest.raises(websockets.InvalidStatus):
            connect(socket_address(server), additional_headers={"Cookie": wrong})


def test_passwords_are_not_tried_out(served: Callable[..., Server]) -> None:
    """After many wrong ones the right one is not looked at, either; whoever has a cookie goes on."""
    client = served(api_auth="ann:a", gradio_auth="ann:a").client
    options = "/sdapi/v1/options"
    entered = client.get("/docs", headers={**basic("ann:a"), "Accept": "text/html"})
    cookie = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
    client.cookies.clear()
    for number in range(WRONG):
        assert client.get(options, headers=basic(f"ann:{number}")).status_code == 401
    refused = client.get(options, headers=basic("ann:a"))
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= WITHIN_S
    assert client.get(options, headers=cookie).status_code == 200
    assert client.get(options, headers={**cookie, **basic("ann:wrong")}).status_code == 200
    assert client.get(options).status_code == 401


def test_wrong_passwords_are_forgotten_in_time_and_count_by_address() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(WRONG):
        assert attempts.wait_s("2001:db8::1") == 0
        attempts.failed("2001:db8::1")
    assert attempts.wait_s("2001:db8::ffff") == WITHIN_S, "one person has all of a /64"
    assert attempts.wait_s("2001:db8:0:1::1") == attempts.wait_s("192.0.2.1") == 0
    now[0] = WITHIN_S + 1
    assert attempts.wait_s("2001:db8::1") == 0
    attempts.failed("2001:db8::1")
    assert attempts.wait_s("2001:db8::1") == 0


@pytest.mark.parametrize("flags", [{}, {"api_auth": "ann:a"}, {"nowebui": True, "api_auth": "ann:a"}])
def test_strangers_change_nothing_that_decides_where_files_go(
    served: Callable[..., Server], flags: dict[str, object]
) -> None:
    """--listen with a page that asks for no password: a login for the API alone does not close the page."""
    client = served(listen=True, listen_without_auth=True, **flags).client
    client.headers.update(basic("ann:a"))
    options = "/sdapi/v1/options"
    closed = bool(flags.get("nowebui"))
    for change in ({"outdir_samples": "/tmp/x"}, {"disable_all_extensions": "all"}):
        assert client.post(options, json=change).status_code == (200 if closed else 403)
        drawn = client.post("/sdapi/v1/txt2img", json={**QUICK, "override_settings": change})
        assert drawn.status_code == (200 if closed else 403)
    assert client.post(options, json={"samples_format": "jpg"}).status_code == 200
    assert client.post(options, json=client.get(options).json()).status_code == 200


@pytest.mark.parametrize("path", ["/internal/merge", "/internal/extract-lora", "/sdapi/v1/create/hypernetwork"])
def test_strangers_write_no_models(served: Callable[..., Server], path: str) -> None:
    body = {"primary": "a", "secondary": "b", "tuned": "a", "base": "b", "name": "new"}
    refused = served(listen=True, listen_without_auth=True).client.post(path, json=body)
    assert refused.status_code == 403
    assert "without a password" in refused.json()["detail"]


def test_clients_of_gradio_3_learn_who_they_are(served: Callable[..., Server]) -> None:
    client = served(gradio_auth="ann:a").client
    assert client.get("/login_check").status_code == client.get("/user").status_code == 401
    client.headers.update(basic("ann:a"))
    assert (client.get("/user").json(), client.get("/login_check").json()) == ("ann", None)
    assert client.get("/app_id").json() == client.get("/app_id").json() != {"app_id": 0}


def test_secrets_are_not_shown(served: Callable[..., Server]) -> None:
    server = served(api_auth="ann:topsecret")
    for path in ("/sdapi/v1/cmd-flags", "/internal/sysinfo"):
        response = server.client.get(path, headers=basic("ann:topsecret"))
        assert response.status_code == 200
        assert "topsecret" not in response.text


# size


def test_bodies_that_do_not_end_are_cut_off() -> None:
    """Both when the length is announced and when it is not."""
    read = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive()).get("more_body"):
            read.append(len(message["body"]))

    async def ask(headers: list[tuple[bytes, bytes]]) -> int:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/sdapi/v1/x", "scheme": "http", "client": None}
        guard = Guard(app, Flags(), max_body=10_000)
        given = [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers]
        await guard({**scope, "headers": given}, receive, send)
        return sent[0]["status"]

    assert asyncio.run(ask([(b"content-length", b"20000")])) == 413
    assert not read
    assert asyncio.run(ask([(b"transfer-encoding", b"chunked")])) == 413
    assert sum(read) <= 10_000
    assert asyncio.run(ask([(b"content-length", b"-5")])) == 400
    assert asyncio.run(ask([(b"content-length", "²".encode("latin-1"))])) == 400


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_a_body_does_not_hold_millions_of_values(client: httpx.Client, kind: str) -> None:
    """[[],[],...] takes thirty times its length in memory."""
    for values, expected in ((MAX_COMMAS + 1, 413), (1000, 422)):
        body = b'{"prompt": [' + b"[]," * values + b"[]]}"
        sent = client.post("/sdapi/v1/txt2img", content=body, headers={"Content-Type": kind})
        assert sent.status_code == expected, sent.text[:200]


# what browsers are told


def test_every_answer_has_the_headers(client: httpx.Client) -> None:
    for path in ("/sdapi/v1/options", "/docs", "/nowhere", "/docs/static/swagger-ui.css"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert "X-Process-Time" in headers


def test_an_app_may_be_stricter_and_assets_live_long() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        strict = [(b"content-security-policy", b"sandbox"), (b"access-control-allow-origin", b"http://evil.example")]
        await send({"type": "http.response.start", "status": 200, "headers": strict})

    async def ask() -> Headers:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"origin", b"http://evil.example")]
        scope = {"type": "http", "method": "GET", "path": "/assets/a.js", "scheme": "http", "client": None}
        await Guard(app, Flags())({**scope, "headers": headers}, None, send)  # type: ignore[arg-type]
        return Headers(raw=sent[0]["headers"])

    headers = asyncio.run(ask())
    assert headers["content-security-policy"] == "sandbox"
    assert "immutable" in headers["cache-control"]
    assert "access-control-allow-origin" not in headers, "Gradio greets foreign origins; we do not"


def test_the_docs_need_no_other_host(client: httpx.Client) -> None:
    for path in ("/docs", "/redoc"):
        page = client.get(path).text
        assert "https://" not in page
        assert "//cdn" not in page
    assert client.get("/docs/static/swagger-ui-bundle.js").status_code == 200
    assert "/sdapi/v1/txt2img" in client.get("/openapi.json").json()["paths"]


def test_paths_do_not_lead_out(server: Server) -> None:
    port = urlsplit(server.url).port
    for path in ("/docs/static/../../../../etc/passwd", "/docs/static/%2e%2e/%2e%2e/core.py", "//etc/passwd"):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        assert connection.getresponse().status in (403, 404)
        connection.close()


@pytest.mark.parametrize(
    ("path", "status"), [("/static/", 404), ("/assets/a/", 404), ("/static/" + "a/" * 200, 404), ("/static/?q=", 200)]
)
def test_no_name_is_too_long_for_the_disk(path: str, status: int) -> None:
    """The routes of Gradio that open files answer such names with 500."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("opened")(scope, receive, send)

    client = TestClient(Guard(app, Flags()), base_url="http://localhost")
    assert client.get(path + "x" * 300).status_code == status


TOKEN = "a-long-token-of-some-program"


def test_a_token_opens_the_api_and_nothing_else_does(served: Callable[..., Server]) -> None:
    client = served(api_token=f"{TOKEN}, another-long-token-for-it").client
    options = "/sdapi/v1/options"
    assert client.get(options).status_code == 401
    for token in (TOKEN, "another-long-token-for-it"):
        assert client.get(options, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    for wrong in (TOKEN[:-1], TOKEN + "x", f"{TOKEN}, another-long-token-for-it", "token"):
        assert client.get(options, headers={"Authorization": f"Bearer {wrong}"}).status_code == 401, wrong
    assert client.get(options, headers=basic(f"token:{TOKEN}")).status_code == 401
    shown = client.get("/sdapi/v1/cmd-flags", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert TOKEN not in shown


def test_tokens_are_no_words_that_can_be_guessed() -> None:
    with pytest.raises(ValueError, match="can be guessed"):
        Flags(api_token="secret").api_tokens  # noqa: B018


@pytest.mark.parametrize("flags", [{"api_auth": "a:b"}, {"api_token": TOKEN}])
def test_without_a_page_every_door_is_the_apis(served: Callable[..., Server], flags: dict[str, str]) -> None:
    """--nowebui --listen --api-auth: the routes of the page's scripts must not be left open."""
    client = served(nowebui=True, **flags).client
    for path in ("/internal/sysinfo", "/internal/jobs", "/file=x.png", "/sd_extra_networks/metadata", "/openapi.json"):
        assert client.get(path).status_code == 401, path
    assert client.post("/internal/progress", json={}).status_code == 401
    key = {"Authorization": f"Bearer {TOKEN}"} if "api_token" in flags else basic("a:b")
    assert client.get("/internal/jobs", headers=key).status_code == 200
