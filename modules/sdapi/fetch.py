"""Fetching a picture that a request names by address, without becoming somebody's way into this network."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import httpx

from modules.terms.errors import BadRequest, Refused

MAX_BYTES = 64 << 20
MAX_REDIRECTS = 3
TIMEOUT_S = 30.0

Allowed = Callable[[str], bool]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet: not private, loopback, link-local, multicast or reserved."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast


def fetch(url: str, *, user_agent: str = "", allowed: Allowed = is_public) -> bytes:
    """What is at `url` (http or https). Every address that the name resolves to must be `allowed`, after redirects too.

    The connection goes to the address that was checked, so a name that changes its mind in between gains nothing.
    Raises: Refused for addresses that are not allowed, BadRequest for what cannot be fetched or is too large.
    """
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False) as client:
        for _ in range(MAX_REDIRECTS + 1):
            try:
                redirect, data = _get(client, url, user_agent, allowed)
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
                raise BadRequest(f"The picture at {url[:200]} could not be fetched: {error}.") from error
            if redirect is None:
                return data
            url = urljoin(url, redirect)
    raise BadRequest(f"The picture at {url[:200]} is redirected more than {MAX_REDIRECTS} times.")


def _get(client: httpx.Client, url: str, user_agent: str, allowed: Allowed) -> tuple[str | None, bytes]:
    """(where it has moved to, b"") or (None, content)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"Only http and https addresses are fetched, not {url[:200]}.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)]
    if not found or not all(allowed(address) for address in found):
        raise Refused(f"{parts.hostname} is an address inside a private network; pictures are not fetched from there.")
    address = f"[{found[0]}]" if ":" in found[0] else found[0]
    target = httpx.URL(url).copy_with(host=address.strip("[]"), port=port)
    headers = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": user_agent or "atelier"}
    request = client.build_request("GET", target, headers=headers, extensions={"sni_hostname": parts.hostname})
    response = client.send(request, stream=True)
    try:
        if response.is_redirect:
            return response.headers["Location"], b""
        response.raise_for_status()
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > MAX_BYTES:
                raise BadRequest(f"The picture at {url[:200]} is larger than {MAX_BYTES >> 20} MB.")
        return None, bytes(data)
    finally:
        response.close()
