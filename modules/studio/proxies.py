"""The proxy that the environment, or the system's settings, name for an address."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(url: str) -> str:
    """What HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, or the system, say of `url`; "" for none."""
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return ""
    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all") or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"
