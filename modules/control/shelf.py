"""The control networks there are, and those that are in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.files import read_header
from modules.checkpoints.residents import Resident, Residents
from modules.control.borrowed import borrows
from modules.control.library import ControlInfo, ControlLibrary
from modules.control.load import load_control
from modules.control.network import SteeringNetwork

Stamp = tuple[int, int]
Kind = tuple[torch.device, torch.dtype, tuple[int, ...]]


@dataclass(frozen=True)
class _Held:
    """A network in memory. base: the checkpoint whose weights fill it, if the file holds only differences."""

    network: SteeringNetwork
    stamp: Stamp
    kind: Kind
    base: Path | None

    def fits(self, stamp: Stamp, bundle: ModelBundle) -> bool:
        same = (stamp, kind_of(bundle)) == (self.stamp, self.kind)
        return same and self.base in (None, bundle.info.path)


class ControlShelf:
    """The files of some folders; the networks used last stay in memory, `limit` of them.

    annotators: the folder with networks that preprocessors need. residents: the list of all that is kept in memory.
    """

    def __init__(
        self,
        folders: Sequence[Path] = (),
        annotators: Path | None = None,
        limit: int = 2,
        residents: Residents | None = None,
    ) -> None:
        self.library = ControlLibrary(folders)
        self._residents = residents or Residents()
        self.annotators = annotators
        self.limit = limit
        self._held: OrderedDict[Path, _Held] = OrderedDict()
        self._lock = threading.Lock()

    def borrow(self, info: ControlInfo, bundle: ModelBundle) -> SteeringNetwork:
        """The network in a file, where `bundle` is. Raises: as `load_control`."""
        stat = info.path.stat()
        stamp = stat.st_mtime_ns, stat.st_size
        with self._lock:
            held = self._held.pop(info.path, None)
            if held is None or not held.fits(stamp, bundle):
                self._residents.make_room(stat.st_size, bundle.device)
                network = load_control(info, bundle)
                base = bundle.info.path if borrows(read_header(info.path)) else None
                held = _Held(network, stamp, kind_of(bundle), base)
            self._held[info.path] = held
            drop = partial(self._give_up, info.path)
            self._residents.used(_key(info.path), Resident(stat.st_size, bundle.device, drop))
            while len(self._held) > max(1, self.limit):
                path, _ = self._held.popitem(last=False)
                self._residents.gone(_key(path))
            return held.network

    def drop(self, info: ControlInfo | None = None) -> None:
        """Forgets the network of a file, or all. One that a job uses lives until the job ends."""
        with self._lock:
            for path in [info.path] if info else list(self._held):
                self._held.pop(path, None)
                self._residents.gone(_key(path))

    def _give_up(self, path: Path) -> bool:
        # Not waiting: it may be this shelf that asks for room.
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._held.pop(path, None) is not None
        finally:
            self._lock.release()


def _key(path: Path) -> tuple[str, Path]:
    return "control", path


def kind_of(bundle: ModelBundle) -> Kind:
    """What a network must share with a bundle to serve it."""
    return bundle.device, bundle.dtype, tuple(bundle.blueprint.unet.config["attention_head_dim"])
