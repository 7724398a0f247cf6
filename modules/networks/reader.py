"""Files, read once: what was made of them is kept until they change, or others take their place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from modules.networks.files import Stamp, stamp_of

T = TypeVar("T")


class Reader(Generic[T]):
    """`reader(path)`: what `read` makes of the file, from memory unless the file changed."""

    def __init__(self, read: Callable[[Path], T]) -> None:
        self._read = read
        self._known: OrderedDict[Path, tuple[Stamp, T]] = OrderedDict()

    def __call__(self, path: Path) -> T:
        """Raises: NotFound if there is no such file, and what `read` raises."""
        stamp = stamp_of(path)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            self._known[path] = known = (stamp, self._read(path))
        self._known.move_to_end(path)
        return known[1]

    def hold(self, used: set[Path], keep: int = 0) -> None:
        """Forgets all but `used` and the `keep` others that were read last."""
        others = [path for path in self._known if path not in used]
        for path in others[: max(0, len(others) - keep)]:
            del self._known[path]
