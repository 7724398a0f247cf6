"""Asking other computers for something, without becoming anybody's way into this network.

Every address is checked when the connection is made, after each redirect anew, and the connection goes to the address
that was checked: a name that changes its mind in between gains nothing.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from modules.studio.proxies import proxy_for
from modules.terms.errors import BadRequest, Refused

MAX_REDIRECTS = 5
CONNECT_S, READ_S = 15.0, 30.0
# Some sites refuse programs that do not say who they are.
USER_AGENT = "atelier"

Allowed = Callable[[str], bool]
HeadersFor = Callable[[str], Mapping[str, str]]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet: not private, loopback, link-local, multicast or reserved."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast


def is_any(address: str) -> bool:
    """For addresses that come from those who may do anything here anyway."""
    return True


def no_headers(url: str) -> Mapping[str, str]:
    return {}


@contextlib.contextmanager
def opened(
    url: str,
    *,
    headers_for: HeadersFor = no_headers,
    allowed: Allowed = is_public,
    max_redirects: int = MAX_REDIRECTS,
    timeout: httpx.Timeout | None = None,
    by_proxy: bool = False,
) -> Iterator[httpx.Response]:
    """The answer to GET `url` (http or https) after redirects, its body not yet read.

    headers_for: the headers for one address; it is asked at each redirect, so that a key goes only where it belongs.
    by_proxy: through the proxy that the environment names, if any. A name that this machine does not know is then
    looked up by the proxy, whose answer cannot be checked: only for what the owner asks, not for what strangers may.
    Raises: Refused for addresses that may not be asked, and for a redirect from https to http; BadRequest for too many
    redirects; httpx.HTTPError, OSError or ValueError if nobody answers sensibly.
    """
    asked = url
    for _ in range(max_redirects + 1):
        proxy = proxy_for(asked) if by_proxy else ""
        with _client(proxy, timeout or httpx.Timeout(READ_S, connect=CONNECT_S)) as client:
            asks = _ask_proxy if proxy else _ask
            response = asks(client, asked, headers_for(asked), allowed)
            try:
                if not response.is_redirect:
                    yield response
                    return
                target = urljoin(asked, response.headers["Location"])
            finally:
                response.close()
        if urlsplit(asked).scheme == "https" and urlsplit(target).scheme == "http":
            raise Refused(f"{urlsplit(asked).hostname} sends on from https to http, where anybody could listen.")
        asked = target
    raise BadRequest(f"{url[:200]} is redirected more than {max_redirects} times.")


def _client(proxy: str, timeout: httpx.Timeout) -> httpx.Client:
    """Raises: BadRequest for a proxy of a kind that is not known here."""
    try:
        return httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False, proxy=proxy or None)
    except (ImportError, ValueError) as error:
        raise BadRequest(
            f"The proxy {proxy} cannot be used: {error}. Set HTTPS_PROXY to one that begins with http://, or install "
            "the package socksio into the studio's environment."
        ) from error


def _ask_proxy(client: httpx.Client, url: str, headers: Mapping[str, str], allowed: Allowed) -> httpx.Response:
    """The answer that the proxy brings. What this machine knows of the name is checked."""
    parts = _checked(url)
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)]
    except OSError:
        found = []
    _need_allowed(parts, found, allowed)
    return client.send(client.build_request("GET", url, headers={"User-Agent": USER_AGENT, **headers}), stream=True)


def _checked(url: str) -> SplitResult:
    """Raises: Refused for what is no web address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"Only http and https addresses are fetched, not {url[:200]}.")
    return parts


def _need_allowed(parts: SplitResult, found: Sequence[str], allowed: Allowed) -> None:
    """Raises: Refused."""
    if not all(allowed(address) for address in found):
        raise Refused(f"{parts.hostname} is an address inside a private network; nothing is fetched from there.")


def _ask(client: httpx.Client, url: str, headers: Mapping[str, str], allowed: Allowed) -> httpx.Response:
    """The answer of the first address of the name that answers."""
    parts = _checked(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)]
    _need_allowed(parts, found, allowed)
    named = {"User-Agent": USER_AGENT, **headers, "Host": parts.netloc.rpartition("@")[2]}
    for number, address in enumerate(dict.fromkeys(found)):
        target = httpx.URL(url).copy_with(host=address, port=port, username="", password="")
        request = client.build_request("GET", target, headers=named, extensions={"sni_hostname": parts.hostname})
        try:
            return client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if number == len(set(found)) - 1:
                raise
    raise OSError(f"{parts.hostname} does not answer")


def read(
    url: str,
    limit: int,
    *,
    headers_for: HeadersFor = no_headers,
    allowed: Allowed = is_public,
    max_redirects: int = MAX_REDIRECTS,
    by_proxy: bool = False,
) -> bytes:
    """What is at `url`, at most `limit` bytes. Raises: as `opened`; BadRequest if it is longer; httpx.HTTPStatusError
    if the site says no."""
    with opened(
        url, headers_for=headers_for, allowed=allowed, max_redirects=max_redirects, by_proxy=by_proxy
    ) as response:
        response.raise_for_status()
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > limit:
                raise BadRequest(f"What is at {url[:200]} is larger than {limit >> 20} MB.")
        return bytes(data)
