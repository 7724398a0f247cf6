"""Which network files there are, and which of them a name means. Needs no torch.

Source: spec/models_and_networks.md §1, §5.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules.networks.files import Stamp, content_hash, stamp_of
from modules.networks.folders import ModelFile, ModelFiles
from modules.networks.index import MetadataIndex, Said
from modules.terms.errors import NotFound
from modules.terms.registry import nearest

ENDINGS = (".pt", ".ckpt", ".safetensors")
# "None" is what a dropdown says when nothing is chosen.
NEVER_A_NAME = frozenset({"none"})


@dataclass(frozen=True)
class NetworkInfo:
    """A network file. `name` is the file's without ending."""

    path: Path
    name: str
    stamp: Stamp
    _index: MetadataIndex = field(repr=False, compare=False)

    @property
    def file(self) -> ModelFile:
        return ModelFile(self.path, self.stamp)

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says of itself, as text."""
        return self._index.metadata(self.file)

    @property
    def alias(self) -> str:
        """The name it was trained under, else its own."""
        return self._index.said(self.file).alias or self.name

    @property
    def base(self) -> str:
        """The model it goes with, as its trainer wrote it ("sdxl_base_v1-0"); "" if it does not say."""
        return self._index.said(self.file).base

    @property
    def said_if_read(self) -> Said | None:
        """What the file says of itself in short; None if its header would have to be read for that."""
        return self._index.said_if_read(self.file)

    @property
    def stated_hash(self) -> str:
        """The hash that the file states; "" if none."""
        return self._index.said(self.file).hash


class NetworkLibrary:
    """The networks in some folders and all folders below. Files that come or go are noticed without a refresh.

    endings: of the files that count. hash_of: a file's digest, None if there is none (`--no-hashing`). index: where
    what the headers say is kept. All methods may be called from any thread.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        endings: tuple[str, ...] = ENDINGS,
        hash_of: Callable[[Path], str | None] = content_hash,
        index: MetadataIndex | None = None,
        list_hidden: Callable[[], bool] = lambda: True,
    ) -> None:
        self._files = ModelFiles(folders, endings, list_hidden=list_hidden)
        self._index = index or MetadataIndex()
        self._hash_of = hash_of
        self._lock = threading.Lock()
        self._seen: tuple[ModelFile, ...] = ()
        self._read: tuple[ModelFile, ...] | None = None
        self._by_name: dict[str, NetworkInfo] = {}
        self._sorted: tuple[NetworkInfo, ...] = ()
        self._hashes: dict[Path, tuple[Stamp, str | None]] = {}

    @property
    def folders(self) -> tuple[Path, ...]:
        return self._files.folders

    def refresh(self) -> None:
        """Looks at every file again. Reads none; what is known of unchanged ones is kept."""
        self._files.look(afresh=True)

    @property
    def headers_read(self) -> bool:
        """Whether `read_headers` has been through all files of the list as it is."""
        return self._read is self._files.look()

    def read_headers(self, *, stop: Callable[[], bool] = lambda: False) -> int:
        """Reads what the files say of themselves, those that are not known yet. Returns: how many."""
        files = self._files.look()
        count = self._index.read(files, stop=stop)
        if not stop():
            self._read = files
        return count

    @property
    def infos(self) -> tuple[NetworkInfo, ...]:
        """All of them, by name whatever the case."""
        return self._found()[1]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(info.name for info in self.infos)

    def find(self, name: str) -> NetworkInfo:
        """The network of that file name, else the one trained under that name if there is only one.

        The folders are looked at again before giving up. Raises: NotFound naming the nearest.
        """
        info = self._known(name)
        if info is None:
            self.refresh()
            info = self._known(name)
        if info is None:
            close = nearest(name, self.names)
            raise NotFound(f"{name} is not there.{f' Did you mean {close}?' if close else ''}")
        return info

    def short_hash(self, info: NetworkInfo) -> str:
        """Twelve digits by which infotext and model sites know the file; "" if it may not be hashed."""
        return (info.stated_hash or self._computed(info.path) or "")[:12]

    def find_hash(self, short_hash: str) -> NetworkInfo | None:
        """The network with that hash, among those whose hash is known without reading a file."""
        for info in self.infos:
            known = self._hashes.get(info.path)
            stated = info.stated_hash or (known[1] if known else None)
            if stated and short_hash and stated.startswith(short_hash):
                return info
        return None

    def rows(self) -> list[dict[str, Any]]:
        """As `/sdapi/v1/loras` lists them."""
        infos = self.infos
        metadata = self._index.all_metadata(info.file for info in infos)
        return [
            {"name": info.name, "alias": info.alias, "path": str(info.path), "metadata": metadata[info.path]}
            for info in infos
        ]

    def _found(self) -> tuple[Mapping[str, NetworkInfo], tuple[NetworkInfo, ...]]:
        """The networks by name, and sorted. Of two files with one name the later counts."""
        files = self._files.look()
        with self._lock:
            if files is not self._seen:
                named = {file.path.stem: file for file in files if file.path.stem.lower() not in NEVER_A_NAME}
                self._by_name = {
                    name: NetworkInfo(file.path, name, file.stamp, self._index) for name, file in named.items()
                }
                self._sorted = tuple(sorted(self._by_name.values(), key=lambda info: info.name.lower()))
                self._seen = files
            return self._by_name, self._sorted

    def _known(self, name: str) -> NetworkInfo | None:
        named = self._found()[0]
        if name in named:
            return named[name]
        if name.lower() in NEVER_A_NAME:
            return None
        # Reads headers, so it is done only for a name that no file has. An alias of several files means none of them.
        self.read_headers()
        trained_as = [info for info in self.infos if info.alias == name]
        return trained_as[0] if len(trained_as) == 1 else None

    def _computed(self, path: Path) -> str | None:
        stamp = stamp_of(path)
        known = self._hashes.get(path)
        if known is None or known[0] != stamp:
            self._hashes[path] = known = (stamp, self._hash_of(path))
        return known[1]
