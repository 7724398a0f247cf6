"""What of a picture's models is here, by name or by hash, and what of it may be another thing under the same name.

This answers "why does this not reproduce?": names change from folder to folder, hashes do not. Needs no torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from modules.checkpoints.library import CheckpointInfo, Library
from modules.generation.network_tags import recorded_hashes
from modules.networks.library import NetworkInfo, NetworkLibrary
from modules.terms.errors import NotFound

Known = Callable[[Path], "str | None"]


@dataclass(frozen=True)
class Here:
    """The name by which a thing is known here. `differs`: its hash, if that is known not to be the one recorded."""

    name: str
    differs: str = ""


class Resources(Protocol):
    """What is here. Each method takes the name and hash that a text has ("" where it has none); None: it is missing."""

    def checkpoint(self, name: str, hash: str) -> Here | None: ...
    def vae(self, name: str, hash: str) -> Here | None: ...
    def lora(self, name: str, hash: str) -> Here | None: ...
    def embedding(self, name: str, hash: str) -> Here | None: ...
    def hypernetwork(self, name: str) -> Here | None: ...


class LocalResources:
    """The libraries of this machine. lora_hash: a LoRA file's hash if it is known without reading the file.

    embeddings(): their files. A thing is found by its hash first, since the name may mean another one here.
    """

    def __init__(
        self,
        library: Library,
        loras: NetworkLibrary,
        hypernetworks: NetworkLibrary,
        embeddings: Callable[[], Iterable[Path]] = tuple,
        lora_hash: Known = lambda path: None,
    ) -> None:
        self._library, self._loras, self._hypernetworks = library, loras, hypernetworks
        self._embeddings, self._lora_hash = embeddings, lora_hash

    def checkpoint(self, name: str, hash: str) -> Here | None:
        infos = self._library.checkpoints
        if hash:
            same = next((info for info in reversed(infos) if _is(hash, info.sha256)), None)
            same = same or (next((info for info in infos if info.hash == hash), None) if len(hash) == 8 else None)
            if same is not None:
                return Here(same.title)
        named = next((info for info in reversed(infos) if name and name in info.aliases), None)
        return None if named is None else Here(named.title, _other(hash, _hash_like(hash, named)))

    def vae(self, name: str, hash: str) -> Here | None:
        for info in self._library.vaes:
            if _is(hash, info.sha256):
                return Here(info.name)
        for info in self._library.vaes:
            if name in (info.name, Path(info.name).stem):
                return Here(info.name, _other(hash, info.sha256))
        return Here(name) if name in ("None", "Automatic") else None

    def lora(self, name: str, hash: str) -> Here | None:
        if hash:
            same = self._loras.find_hash(hash) or self._known_by(hash)
            if same is not None:
                return Here(same.name)
        try:
            info = self._loras.find(name)
        except NotFound:
            return None
        # The file's own hash is read only where a name alone cannot tell.
        return Here(name, _other(hash, self._loras.short_hash(info)) if len(hash) == 12 else "")

    def embedding(self, name: str, hash: str) -> Here | None:
        named = next((path for path in self._embeddings() if path.stem.lower() == name.lower()), None)
        if named is None:
            return None
        return Here(named.stem, _other(hash, hashlib.sha256(named.read_bytes()).hexdigest()) if hash else "")

    def hypernetwork(self, name: str) -> Here | None:
        return Here(name) if name in self._hypernetworks.names else None

    def _known_by(self, hash: str) -> NetworkInfo | None:
        return next((info for info in self._loras.infos if _is(hash, self._lora_hash(info.path))), None)


def _is(hash: str, known: str | None) -> bool:
    return bool(hash and known and known.startswith(hash.lower()))


def _other(hash: str, known: str | None) -> str:
    """The beginning of `known` if both are known and not the same."""
    return known[: len(hash)] if hash and known and not _is(hash, known) else ""


def _hash_like(hash: str, info: CheckpointInfo) -> str | None:
    """The hash of the checkpoint of the kind that `hash` is: eight digits are the legacy kind."""
    return info.hash if len(hash) == 8 else info.sha256


def what_differs(entries: Mapping[str, Any], resources: Resources) -> list[str]:
    """A sentence for each model, VAE and embedding that `entries` (as `parse` gives them) name and that is missing here
    or not the same. LoRAs are told by `with_local_networks`."""
    hashes = recorded_hashes(entries)
    notes = []
    name, hash = str(entries.get("Model") or ""), hashes.get("model", "")
    if name or hash:
        notes += _told("checkpoint", name or hash, hash, resources.checkpoint(name, hash))
    if vae := str(entries.get("VAE") or ""):
        notes += _told("VAE", vae, hashes.get("vae", ""), resources.vae(vae, hashes.get("vae", "")))
    return [*notes, *words_that_differ(entries, resources)]


def words_that_differ(entries: Mapping[str, Any], resources: Resources) -> list[str]:
    """The same for what is named in prompts: embeddings, and the hypernetwork of old texts."""
    notes = []
    for key, hash in recorded_hashes(entries).items():
        if key.startswith("embed:"):
            name = key.removeprefix("embed:")
            notes += _told("embedding", name, hash, resources.embedding(name, hash))
    if hypernetwork := str(entries.get("Hypernet") or ""):
        notes += _told("hypernetwork", hypernetwork, "", resources.hypernetwork(hypernetwork))
    return notes


def _told(kind: str, name: str, hash: str, here: Here | None) -> list[str]:
    if here is None:
        return [f"The {kind} {name!r}{f' ({hash})' if hash else ''} is not here."]
    return [other_content(kind, here, hash)] if here.differs else []


def other_content(kind: str, here: Here, hash: str) -> str:
    """The sentence about a thing that has the name but not the hash."""
    return f"The {kind} {here.name!r} is not the one of the picture: its hash is {here.differs}, the picture's {hash}."
