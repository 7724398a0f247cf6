"""Which names this studio answers to, and which web pages may use it."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from modules.studio.flag_table import Flags

WILDCARDS = frozenset({"0.0.0.0", "::", "*", ""})
TUNNELS = (".gradio.live",)
NGROK_TUNNELS = (".ngrok.io", ".ngrok.app", ".ngrok-free.app", ".ngrok-free.dev")


@dataclass(frozen=True)
class Origins:
    """hosts: names that requests may be addressed to, besides loopback; a leading dot means: and all below.

    any_address: IP addresses of this machine count too (they cannot be rebound to another, as names can).
    origins, pattern: pages elsewhere that may use the studio (CORS); "*" means all.
    """

    hosts: frozenset[str] = frozenset()
    any_address: bool = False
    origins: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None

    @classmethod
    def from_flags(cls, flags: Flags) -> Origins:
        """Raises: ValueError if --cors-allow-origins-regex is no regular expression."""
        hosts = {name.strip().lower().rstrip(".") for name in (flags.allowed_hosts or "").split(",") if name.strip()}
        if flags.server_name and flags.server_name not in WILDCARDS:
            hosts.add(flags.server_name.lower())
        open_to_others = flags.listen or bool(flags.server_name)
        if open_to_others:
            name = socket.gethostname().lower()
            hosts |= {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}
        hosts |= set(TUNNELS if flags.share else ()) | set(NGROK_TUNNELS if flags.ngrok else ())
        given = {origin.strip().rstrip("/").lower() for origin in (flags.cors_allow_origins or "").split(",")}
        try:
            pattern = re.compile(flags.cors_allow_origins_regex) if flags.cors_allow_origins_regex else None
        except re.error as error:
            raise ValueError(f"--cors-allow-origins-regex is no regular expression: {error}.") from error
        return cls(frozenset(hosts), open_to_others, frozenset(given - {""}), pattern)

    def knows_host(self, netloc: str) -> bool:
        """Whether `netloc` (the Host header) is a name of this studio: others mean DNS rebinding."""
        name = name_in(netloc)
        if name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self.hosts or any(name.endswith(host) for host in self.hosts if host.startswith("."))
        return address.is_loopback or self.any_address or name in self.hosts

    def may_read(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may read what the studio, asked for as `host`, answers."""
        return self._is_own(origin, host) or self._is_listed(origin)

    def allows(self, headers: Headers, *, unsafe: bool) -> bool:
        """Whether the page that asks may ask this. `unsafe`: it changes something, or opens a WebSocket.

        Programs other than browsers send neither Origin nor Sec-Fetch-Site, and may.
        """
        origin = headers.get("origin")
        if origin is not None and self.may_read(origin, headers.get("host", "")):
            return True
        if unsafe and origin is not None:
            return False
        site = headers.get("sec-fetch-site", "none")
        if unsafe:
            return site in ("same-origin", "none")
        # A link to the page is followed from anywhere; its parts are not embedded elsewhere.
        return site != "cross-site" or headers.get("sec-fetch-mode") == "navigate"

    def _is_own(self, origin: str, host: str) -> bool:
        parts = _split(origin)
        return parts is not None and bool(host) and parts.lower() == host.lower()

    def _is_listed(self, origin: str) -> bool:
        origin = origin.lower().rstrip("/")
        if "*" in self.origins or origin in self.origins:
            return origin != "null" or "null" in self.origins
        return self.pattern is not None and self.pattern.fullmatch(origin) is not None


def name_in(netloc: str) -> str:
    """The name in `name:port`, lower case, without brackets; "" if there is none."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _split(origin: str) -> str | None:
    """host:port of an origin; None if it is none ("null")."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc if parts.scheme in ("http", "https") and parts.netloc else None
