"""The model files in some folders, known without looking through all of them each time somebody asks.

A folder's time stamp changes when a file in it comes or goes; only such folders are listed again. Ten thousand files in
one folder cost one question to the system instead of ten thousand.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from modules.networks.files import Stamp

# File systems count time in steps (FAT: two seconds). What was listed within one step of its change may be listed
# again with the same stamp though something came since.
UNSETTLED_S = 2.5
# After a look that took long (thousands of folders, a network drive) nobody looks again for so many times as long.
LONG_S = 0.005
REST = 20


@dataclass(frozen=True)
class ModelFile:
    """A file as its folder lists it. `stamp`: time of last change in nanoseconds, and size in bytes."""

    path: Path
    stamp: Stamp


@dataclass(frozen=True)
class _Folder:
    mtime: int
    settled: bool
    folders: tuple[Path, ...]
    files: tuple[ModelFile, ...]


class ModelFiles:
    """The files below some folders whose names end with one of `endings` (any case). Safe to use from any thread.

    Links are followed, but no folder is entered twice; dead links and folders that cannot be read are passed over.
    list_hidden False: folders whose name begins with a dot are not entered.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        endings: tuple[str, ...],
        *,
        list_hidden: Callable[[], bool] = lambda: True,
    ) -> None:
        self.folders = tuple(folders)
        self._endings = endings
        self._list_hidden = list_hidden
        self._lock = threading.Lock()
        self._known: dict[Path, _Folder] = {}
        self._files: tuple[ModelFile, ...] = ()
        self._rest_until = 0.0

    def look(self, *, afresh: bool = False) -> tuple[ModelFile, ...]:
        """Every file, folder by folder, in the order of names. The same object as long as nothing has changed.

        afresh: everything is listed again, which also finds files that were overwritten in place.
        """
        with self._lock:
            if not afresh and time.monotonic() < self._rest_until:
                return self._files
            started = time.monotonic()
            known = self._walk({} if afresh else self._known)
            if known != self._known:
                self._known = known
                self._files = tuple(file for folder in known.values() for file in folder.files)
            ended = time.monotonic()
            if ended - started > LONG_S:
                self._rest_until = ended + REST * (ended - started)
            return self._files

    def _walk(self, known: dict[Path, _Folder]) -> dict[Path, _Folder]:
        """The folders as they are now, in the order in which they are entered."""
        found: dict[Path, _Folder] = {}
        entered: set[tuple[int, int]] = set()
        show_hidden = self._list_hidden()
        for root in self.folders:
            waiting = [root]
            while waiting:
                here = waiting.pop()
                folder = self._folder(here, known.get(here), entered)
                if folder is not None:
                    found[here] = folder
                    waiting += [name for name in reversed(folder.folders) if show_hidden or name.name[0] != "."]
        return found

    def _folder(self, here: Path, before: _Folder | None, entered: set[tuple[int, int]]) -> _Folder | None:
        """What is in the folder `here`; None if it is not there or was entered by another name."""
        try:
            state = here.stat()
        except OSError:
            return None
        identity = (state.st_dev, state.st_ino)
        if identity in entered or not stat.S_ISDIR(state.st_mode):
            return None
        entered.add(identity)
        if before is not None and before.settled and before.mtime == state.st_mtime_ns:
            return before
        folders, files = [], []
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.name.lower().endswith(self._endings) and not entry.is_dir():
                        files += _file(entry)
                    elif entry.is_dir():
                        folders.append(Path(entry.path))
        except OSError:
            return None
        settled = time.time() - state.st_mtime > UNSETTLED_S
        ordered = sorted(files, key=lambda file: file.path.name)
        return _Folder(state.st_mtime_ns, settled, tuple(sorted(folders)), tuple(ordered))


def _file(entry: os.DirEntry[str]) -> list[ModelFile]:
    """The file, or nothing if it is gone already or a link to nowhere."""
    try:
        state = entry.stat()
    except OSError:
        return []
    return [ModelFile(Path(entry.path), (state.st_mtime_ns, state.st_size))] if stat.S_ISREG(state.st_mode) else []
