"""How often somebody may be wrong about a password."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable

WRONG = 20
WITHIN_S = 60.0
REMEMBERED = 10_000


class Attempts:
    """Wrong logins by address: after WRONG of them within WITHIN_S seconds no more are looked at for as long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait_s(self, address: str) -> int:
        """For how many seconds more logins from `address` are not looked at; 0: they are."""
        with self._lock:
            count, until = self._wrong.get(_network(address), (0, 0.0))
            left = until - self._clock()
            return max(1, round(left)) if count >= WRONG and left > 0 else 0

    def failed(self, address: str) -> None:
        """A login from `address` was wrong."""
        name, now = _network(address), self._clock()
        with self._lock:
            count, until = self._wrong.pop(name, (0, 0.0))
            self._wrong[name] = (count + 1 if until > now else 1, now + WITHIN_S)
            if len(self._wrong) > REMEMBERED:
                del self._wrong[next(iter(self._wrong))]


def _network(address: str) -> str:
    """What one person has of the network: an IPv4 address, or 2^64 of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
