"""The network files there are, and those that a prompt names, read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from modules.checkpoints.device_memory import KEPT_FREE, device_memory
from modules.conditioning.embeddings import Embedding
from modules.generation.network_parts import PartsOf
from modules.generation.network_request import Asked, AskedLora
from modules.networks.blocks import block_weights
from modules.networks.files import content_hash
from modules.networks.hypernetwork import Hypernetwork, read_hypernetwork
from modules.networks.library import NetworkLibrary
from modules.networks.network import Network, read_network
from modules.networks.patch import Patches, Wanted
from modules.networks.reader import Reader
from modules.terms.errors import NotFound, WebuiError


def room(device: torch.device, needed: int) -> bool:
    """Whether the device has so many bytes to spare for remembering merged weights."""
    return device_memory(device)[0] > needed + KEPT_FREE


@dataclass(frozen=True)
class NetworkShelf:
    """The network files there are, and what is remembered of them between jobs."""

    loras: NetworkLibrary = field(default_factory=lambda: NetworkLibrary([]))
    hypernetworks: NetworkLibrary = field(default_factory=lambda: NetworkLibrary([]))
    read_lora: Reader[Network] = field(default_factory=lambda: Reader(read_network))
    read_hypernetwork: Reader[Hypernetwork] = field(default_factory=lambda: Reader(read_hypernetwork))
    patches: Patches = field(default_factory=lambda: Patches(room))
    parts_of: PartsOf = field(default_factory=PartsOf)


def open_shelf(
    loras: Sequence[Path] = (),
    hypernetworks: Sequence[Path] = (),
    hash_of: Callable[[Path], str | None] = content_hash,
) -> NetworkShelf:
    """A shelf over folders of files."""
    return NetworkShelf(
        NetworkLibrary(loras, hash_of=hash_of), NetworkLibrary(hypernetworks, endings=(".pt",), hash_of=hash_of)
    )


@dataclass(frozen=True)
class FoundLora:
    """A LoRA that was found and read. `hash`: twelve digits, "" if it may not be hashed."""

    asked: AskedLora
    wanted: Wanted
    hash: str

    @property
    def embeddings(self) -> Iterator[Embedding]:
        """The textual inversions that came inside of the file."""
        for name, tensors in self.wanted.network.embeddings.items():
            yield Embedding(name, tensors, self.wanted.network.path)

    def about_unused(self, unused: Sequence[str]) -> str:
        """A sentence about the keys that could not be applied."""
        network, total, some = self.wanted.network, self.keys, ", ".join(unused[:3])
        if len(unused) < total:
            left = f"{len(unused)} of its {total} keys fit nothing here ({some})"
            return f"The LoRA {self.asked.name} is used in part: {left}."
        made_for = network.metadata.get("ss_base_model_version")
        reason = f" It was made for {made_for}." if made_for else ""
        return f"The LoRA {self.asked.name} does nothing: none of its {total} keys fits this model ({some}).{reason}"

    @property
    def keys(self) -> int:
        """How many keys the file has for weights."""
        network = self.wanted.network
        return sum(map(len, network.keys.values())) + len(network.unknown)


@dataclass(frozen=True)
class Found:
    """What of the networks asked for can be had. `notes`: sentences about the rest."""

    loras: tuple[FoundLora, ...]
    hypernetworks: tuple[tuple[Hypernetwork, float], ...]
    notes: tuple[str, ...]


def find(asked: Asked, shelf: NetworkShelf, blocks: Callable[[], Sequence[str]], *, keep: int = 0) -> Found:
    """The networks that are `asked` for, read. `blocks()`: those of the model, for weights per block.

    keep: how many other networks may stay in memory.
    """
    notes = list(asked.notes)
    loras = [lora for one in asked.loras if (lora := _lora(one, shelf, blocks, notes))]
    hypernetworks = [
        (read, one.multiplier)
        for one in asked.hypernetworks
        if (read := _hypernetwork(one.name, shelf, notes)) is not None
    ]
    shelf.read_lora.hold({one.wanted.network.path for one in loras}, keep)
    shelf.read_hypernetwork.hold({read.path for read, _ in hypernetworks}, keep)
    return Found(tuple(loras), tuple(hypernetworks), tuple(notes))


def _lora(
    asked: AskedLora, shelf: NetworkShelf, blocks: Callable[[], Sequence[str]], notes: list[str]
) -> FoundLora | None:
    try:
        info = shelf.loras.find(asked.name)
        network = shelf.read_lora(info.path)
        weights = block_weights(asked.blocks, blocks()) if asked.blocks else None
        wanted = Wanted(network, asked.unet, asked.te, asked.rank, weights, asked.copies)
        return FoundLora(asked, wanted, shelf.loras.short_hash(info))
    except NotFound as error:
        notes.append(f"Lora not found: {error}")
    except (WebuiError, OSError) as error:
        notes.append(f"The LoRA {asked.name} was left out: {error}")
    return None


def _hypernetwork(name: str, shelf: NetworkShelf, notes: list[str]) -> Hypernetwork | None:
    try:
        return shelf.read_hypernetwork(shelf.hypernetworks.find(name).path)
    except NotFound as error:
        notes.append(f"Hypernetwork not found: {error}")
    except (WebuiError, OSError) as error:
        notes.append(f"The hypernetwork {name} was left out: {error}")
    return None
