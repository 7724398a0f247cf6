"""Which control networks there are, and which of them a name means. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modules.checkpoints.hashes import legacy_hash
from modules.networks.folders import ModelFile
from modules.networks.library import NetworkLibrary
from modules.terms.errors import NotFound
from modules.terms.registry import nearest

ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
_HASH = re.compile(r"\s*\[[0-9a-fA-F]*\]$")


@dataclass(frozen=True)
class ControlInfo:
    """A file that steers. `name` is the file's without ending; `hash` is A1111's old one of eight digits."""

    path: Path
    name: str
    hash: str

    @property
    def title(self) -> str:
        """The name by which clients send it, and infotext shows it."""
        return f"{self.name} [{self.hash}]"


class ControlLibrary:
    """The control networks in some folders and all folders below; 64 KB of each file are read once.

    All methods may be called from any thread.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self.folders = tuple(folders)
        self._files = NetworkLibrary(self.folders, endings=ENDINGS)
        self._hashes: dict[ModelFile, str] = {}

    def refresh(self) -> None:
        """Looks into the folders again."""
        self._files.refresh()

    @property
    def infos(self) -> tuple[ControlInfo, ...]:
        """All of them, by name."""
        return tuple(ControlInfo(info.path, info.name, self._hash(info.file)) for info in self._files.infos)

    def find(self, name: str) -> ControlInfo:
        """The file that `name` means: its title, its name whatever the case, its hash, or the shortest name that
        contains it. The folders are looked at again before giving up. Raises: NotFound naming the nearest."""
        found = self._known(name)
        if found is None:
            self.refresh()
            found = self._known(name)
        if found is None:
            infos = self.infos
            close = nearest(name, [info.name for info in infos])
            where = " or ".join(str(folder) for folder in self.folders) or "models/ControlNet"
            hint = f" Did you mean {close!r}?" if close else ""
            raise NotFound(
                f"There is no ControlNet model called {name!r}.{hint} There are {len(infos)}; they belong in {where}."
            )
        return found

    def _known(self, name: str) -> ControlInfo | None:
        wanted = _HASH.sub("", name.strip()).lower()
        infos = self.infos
        exact = [info for info in infos if wanted in (info.name.lower(), info.hash)]
        part = sorted((info for info in infos if wanted and wanted in info.name.lower()), key=lambda it: len(it.name))
        return next(iter([*exact, *part]), None)

    def _hash(self, file: ModelFile) -> str:
        if file not in self._hashes:
            self._hashes[file] = legacy_hash(file.path)
        return self._hashes[file]
