"""How long each part of the start took."""

from __future__ import annotations

import time


class StartTimes:
    """Seconds by part, in their order. A part begins where the one before ended, the first with the process."""

    def __init__(self) -> None:
        import psutil

        self.records: dict[str, float] = {}
        began = time.time() - psutil.Process().create_time()
        self._last = time.perf_counter() - max(0.0, began)

    def lap(self, name: str) -> None:
        """Ends the part `name`; one that comes twice counts together."""
        now = time.perf_counter()
        self.records[name] = self.records.get(name, 0.0) + now - self._last
        self._last = now

    def __str__(self) -> str:
        parts = ", ".join(f"{name}: {seconds:.1f}s" for name, seconds in self.records.items() if seconds >= 0.05)
        return f"Startup time: {sum(self.records.values()):.1f}s ({parts})."
