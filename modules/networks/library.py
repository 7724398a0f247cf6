"""Which network files there are, and which of them a name means. Needs no torch.

Source: spec/models_and_networks.md §1, §5.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from modules.networks.files import Stamp, content_hash, read_metadata, stamp_of
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

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """What the file says of itself, as text; read when first asked for."""
        return read_metadata(self.path)

    @property
    def alias(self) -> str:
        """The name it was trained under, else its own."""
        return self.metadata.get("ss_output_name") or self.name


class NetworkLibrary:
    """The networks in some folders and all folders below.

    endings: of the files that count. hash_of: a file's digest, None if there is none (`--no-hashing`).
    All methods may be called from any thread.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        endings: tuple[str, ...] = ENDINGS,
        hash_of: Callable[[Path], str | None] = content_hash,
    ) -> None:
        self._folders = tuple(folders)
        self._endings = endings
        self._hash_of = hash_of
        self._lock = threading.Lock()
        self._infos: dict[str, tuple[Stamp, NetworkInfo]] | None = None  # looked up when first asked for
        self._hashes: dict[Path, tuple[Stamp, str | None]] = {}

    def refresh(self) -> None:
        """Looks into the folders again. Reads no file; what is known of unchanged ones is kept."""
        found: dict[str, tuple[Stamp, NetworkInfo]] = {}
        for path in self._files():
            try:
                stamp = stamp_of(path)
            except NotFound:
                continue  # deleted in between, or a dead link
            known = (self._infos or {}).get(path.stem)
            same = known is not None and known[0] == stamp and known[1].path == path
            found[path.stem] = known if known and same else (stamp, NetworkInfo(path, path.stem))
        with self._lock:
            self._infos = found

    @property
    def infos(self) -> tuple[NetworkInfo, ...]:
        """All of them, by name whatever the case."""
        return tuple(sorted((info for _, info in self._found().values()), key=lambda info: info.name.lower()))

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
        stated = info.metadata.get("sshs_model_hash")
        return (stated or self._computed(info.path) or "")[:12]

    def find_hash(self, short_hash: str) -> NetworkInfo | None:
        """The network with that hash, among those whose hash is known without reading a file."""
        for info in self.infos:
            known = self._hashes.get(info.path)
            stated = info.metadata.get("sshs_model_hash") or (known[1] if known else None)
            if stated and short_hash and stated.startswith(short_hash):
                return info
        return None

    def rows(self) -> list[dict[str, Any]]:
        """As `/sdapi/v1/loras` lists them."""
        return [
            {"name": info.name, "alias": info.alias, "path": str(info.path), "metadata": dict(info.metadata)}
            for info in self.infos
        ]

    def _found(self) -> Mapping[str, tuple[Stamp, NetworkInfo]]:
        if self._infos is None:
            self.refresh()
        with self._lock:
            return self._infos or {}

    def _known(self, name: str) -> NetworkInfo | None:
        entry = self._found().get(name)
        if entry is not None:
            return entry[1]
        if name.lower() in NEVER_A_NAME:
            return None
        # Reads headers, so it is done only for a name that no file has. An alias of several files means none of them.
        trained_as = [info for info in self.infos if info.alias == name]
        return trained_as[0] if len(trained_as) == 1 else None

    def _computed(self, path: Path) -> str | None:
        stamp = stamp_of(path)
        known = self._hashes.get(path)
        if known is None or known[0] != stamp:
            self._hashes[path] = known = (stamp, self._hash_of(path))
        return known[1]

    def _files(self) -> Iterator[Path]:
        visited = set()
        for folder in self._folders:
            for here, folders, files in os.walk(folder, followlinks=True):
                real = os.path.realpath(here)
                if real in visited:
                    folders.clear()  # a link that leads back
                    continue
                visited.add(real)
                for name in sorted(files):
                    path = Path(here, name)
                    if name.lower().endswith(self._endings) and path.stem.lower() not in NEVER_A_NAME:
                        yield path
