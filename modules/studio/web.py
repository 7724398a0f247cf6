"""Asking other computers for something, without becoming anybody's way into this network.

Every address is checked when the connection is made, after each redirect anew, and the connection goes to the address
that was checked: a name that changes its mind in between gains nothing.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urljoin, urlsplit

import httpx

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
) -> Iterator[httpx.Response]:
    """The answer to GET `url` (http or https) after redirects, its body not yet read.

    headers_for: the headers for one address; it is asked at each redirect, so that a key goes only where it belongs.
    Raises: Refused for addresses that may not be asked, and for a redirect from https to http; BadRequest for too many
    redirects; httpx.HTTPError, OSError or ValueError if nobody answers sensibly.
    """
    with httpx.Client(
        timeout=timeout or httpx.Timeout(READ_S, connect=CONNECT_S), trust_env=False, follow_redirects=False
    ) as client:
        asked = url
        for _ in range(max_redirects + 1):
            response = _ask(client, asked, headers_for(asked), allowed)
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


def _ask(client: httpx.Client, url: str, headers: Mapping[str, str], allowed: Allowed) -> httpx.Response:
    """The answer of the first address of the name that answers."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"Only http and https addresses are fetched, not {url[:200]}.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)]
    if not found or not all(allowed(address) for address in found):
        raise Refused(f"{parts.hostname} is an address inside a private network; nothing is fetched from there.")
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
) -> bytes:
    """What is at `url`, at most `limit` bytes. Raises: as `opened`; BadRequest if it is longer; httpx.HTTPStatusError
    if the site says no."""
    with opened(url, headers_for=headers_for, allowed=allowed, max_redirects=max_redirects) as response:
        response.raise_for_status()
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > limit:
                raise BadRequest(f"What is at {url[:200]} is larger than {limit >> 20} MB.")
        return bytes(data)
