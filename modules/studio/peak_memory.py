"""The most memory that was taken while a job ran, for the line under its pictures."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import device

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@contextmanager
def peak_memory(device_of: Callable[[], device | None], polls: float) -> Iterator[dict[str, int]]:
    """Within: memory is watched. Yields a dict that holds bytes afterwards.

    On a graphics card "active" and "reserved", torch's peaks, and "system" of "total", what all programs had at most;
    elsewhere "ram", the peak of this process. `device_of`: where the models are, None before the engine has started.
    `polls`: how often in a second the card is asked; 0 leaves the dict empty, as in A1111.
    """
    figures: dict[str, int] = {}
    if not polls:
        yield figures
        return
    _forget(device_of())
    free: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1 / polls):
            free[:] = [min([*free, _free(device_of())])]

    watcher = threading.Thread(target=watch, name="peak-memory", daemon=True)
    watcher.start()
    try:
        yield figures
    finally:
        done.set()
        watcher.join()
        figures.update(_figures(device_of(), free))


def _on_card(where: device | None) -> bool:
    return where is not None and where.type == "cuda"


def _forget(where: device | None) -> None:
    """Starts torch's and the kernel's peaks anew."""
    if _on_card(where):
        import torch

        torch.cuda.reset_peak_memory_stats(where)
    # "5" is the peak of the resident set: proc(5). Elsewhere the peak is that since the start.
    with suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")


def _free(where: device | None) -> int:
    if not _on_card(where):
        return sys.maxsize
    import torch

    return int(torch.cuda.mem_get_info(where)[0])


def _figures(where: device | None, free: list[int]) -> dict[str, int]:
    if not _on_card(where):
        return {"ram": _ram()}
    import torch

    stats = torch.cuda.memory_stats(where)
    now, total = torch.cuda.mem_get_info(where)
    return {
        "active": stats["active_bytes.all.peak"],
        "reserved": stats["reserved_bytes.all.peak"],
        "system": total - min([*free, now]),
        "total": total,
    }


def _ram() -> int:
    """The peak of the resident set in bytes."""
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import psutil

    told = psutil.Process().memory_info()
    return int(getattr(told, "peak_wset", told.rss))
