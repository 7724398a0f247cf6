"""One download as it stands, and as it is kept over a restart."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from modules.studio.downloads.sites import Offer
from modules.terms.errors import Cancelled

State = Literal["waiting", "running", "asking", "paused", "done", "failed", "cancelled"]
ENDED = frozenset({"done", "failed", "cancelled"})
KEPT = ("id", "state", "kind", "allow_pickle", "written", "total", "sentence", "created")
SPEED_OVER_S = 3.0


@dataclass
class Download:
    """A download. `state` "asking": it waits for a person to allow a pickle. `sentence`: what went wrong, or is asked.

    It is the Watch of its own transfer: `stop` ends that.
    """

    id: str
    offer: Offer
    kind: str = ""
    allow_pickle: bool = False
    state: State = "waiting"
    written: int = 0
    total: int | None = None
    sentence: str = ""
    path: Path | None = None
    part: Path | None = None
    created: float = field(default_factory=time.time)
    stop: threading.Event = field(default_factory=threading.Event)
    busy: threading.Lock = field(default_factory=threading.Lock)
    _marks: list[tuple[float, int]] = field(default_factory=list)

    def at(self, written: int, total: int | None) -> None:
        """So much is here. Raises: Cancelled if it is to end."""
        self.written, self.total = written, total
        now = time.monotonic()
        if not self._marks or now - self._marks[-1][0] > 0.2:
            self._marks = [mark for mark in self._marks if now - mark[0] < SPEED_OVER_S] + [(now, written)]
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Raises: Cancelled if it is to end."""
        if self.stop.wait(seconds):
            raise Cancelled("The download was stopped.")

    @property
    def speed(self) -> float:
        """Bytes per second, of late."""
        if self.state != "running" or len(self._marks) < 2:
            return 0.0
        (begun, first), (ended, last) = self._marks[0], self._marks[-1]
        return max(0.0, (last - first) / max(ended - begun, 1e-6))

    def view(self) -> dict[str, Any]:
        """As the API shows it. `remaining`: seconds, null if nobody can tell."""
        speed = self.speed
        return {
            **{key: getattr(self, key) for key in KEPT},
            "name": self.offer.name,
            "title": self.offer.title,
            "page": self.offer.page,
            "path": str(self.path) if self.path else None,
            "speed": speed,
            "remaining": (self.total - self.written) / speed if self.total and speed else None,
        }

    def kept(self) -> dict[str, Any]:
        """As it is kept on disk."""
        places = {name: str(value) if value else None for name, value in (("path", self.path), ("part", self.part))}
        return {**{key: getattr(self, key) for key in KEPT}, **places, "offer": dataclasses.asdict(self.offer)}


def taken_up(kept: Mapping[str, Any]) -> Download:
    """The download of which `kept` was written; what ran then is paused now.

    Raises: TypeError, KeyError, ValueError.
    """
    values: dict[str, Any] = {key: kept[key] for key in KEPT}
    values |= {name: Path(kept[name]) if kept[name] else None for name in ("path", "part")}
    download = Download(offer=Offer(**kept["offer"]), **values)
    if download.state in ("waiting", "running"):
        download.state = "paused"
    return download
