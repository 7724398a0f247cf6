"""What is kept in memory for the next job, whoever keeps it: checkpoints, VAEs, ControlNets, upscalers, captioners.

One list by last use and one rule: what was not used for longest goes first, from the device into memory where it can,
out of memory where it must.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch

from modules.checkpoints.device_memory import KEPT_FREE, device_memory, has_own_memory, trim

HOME = torch.device("cpu")
# Of the machine's memory, for everything else on it.
SHARE_KEPT_FREE = 8


@dataclass
class Resident:
    """Something that is kept. size: bytes. device: where it is.

    drop(), leave(): give it up, or move it into memory; False if that cannot be now, because somebody uses it. Called
    from the thread that needs the room. leave None: it cannot wait in memory.
    """

    size: int
    device: torch.device
    drop: Callable[[], bool]
    leave: Callable[[], bool] | None = None


class Residents:
    """The list. Those who keep something say when it is used and when it is gone.

    measure(device): its free and its total bytes. apart(device): whether its memory is its own.
    """

    def __init__(
        self,
        measure: Callable[[torch.device], tuple[int, int]] = device_memory,
        apart: Callable[[torch.device], bool] = has_own_memory,
    ) -> None:
        self.measure, self.apart = measure, apart
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Resident] = OrderedDict()

    def used(self, key: Hashable, resident: Resident) -> None:
        """`resident` is kept as `key`, and was used now."""
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = resident

    def gone(self, key: Hashable) -> None:
        """What was kept as `key` is not any more."""
        with self._lock:
            self._kept.pop(key, None)

    def sizes(self) -> dict[Hashable, int]:
        """Bytes of everything kept, what was used last at the end."""
        with self._lock:
            return {key: resident.size for key, resident in self._kept.items()}

    def make_room(self, needed: int, device: torch.device) -> bool:
        """Gives up what was not used for longest until `needed` bytes fit on `device`. Returns: whether they do."""
        for key, resident in self._listed():
            if self.fits(needed, device):
                return True
            if self._same_memory(resident.device, device):
                self._give_up(key, resident)
        return self.fits(needed, device)

    def clear_device(self, device: torch.device, *, but: Hashable) -> None:
        """Moves everything that can wait in memory away from `device`, except for `but`."""
        for key, resident in self._listed():
            if key != but and resident.leave is not None and self._same_memory(resident.device, device):
                self._give_up(key, resident)

    def _give_up(self, key: Hashable, resident: Resident) -> None:
        can_leave = resident.leave is not None and self.apart(resident.device)
        if can_leave and resident.leave is not None and self.make_room(resident.size, HOME):
            if resident.leave():
                resident.device = HOME
        elif resident.drop():
            self.gone(key)
        else:
            return
        trim()

    def _listed(self) -> list[tuple[Hashable, Resident]]:
        with self._lock:
            return list(self._kept.items())

    def fits(self, needed: int, device: torch.device) -> bool:
        """Whether `device` has so many bytes free and something for the rest besides."""
        free, total = self.measure(device)
        spared = KEPT_FREE if self.apart(device) else max(KEPT_FREE, total // SHARE_KEPT_FREE)
        return needed + spared <= free

    def _same_memory(self, one: torch.device, other: torch.device) -> bool:
        """Whether what one device frees is free for the other."""
        if self.apart(one) or self.apart(other):
            return one.type == other.type and one.index == other.index
        return True
