"""Fetching a picture that a request names by address."""

from __future__ import annotations

import httpx

from modules.studio import web
from modules.studio.web import Allowed, is_public
from modules.terms.errors import BadRequest

MAX_BYTES = 64 << 20
MAX_REDIRECTS = 3


def fetch(url: str, *, user_agent: str = "", allowed: Allowed = is_public) -> bytes:
    """What is at `url` (http or https). Every address that the name resolves to must be `allowed`, after redirects too.

    Raises: Refused for addresses that are not allowed, BadRequest for what cannot be fetched or is too large.
    """
    headers = {"User-Agent": user_agent or web.USER_AGENT}
    try:
        return web.read(url, MAX_BYTES, headers_for=lambda _: headers, allowed=allowed, max_redirects=MAX_REDIRECTS)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise BadRequest(f"The picture at {url[:200]} could not be fetched: {error}.") from error
