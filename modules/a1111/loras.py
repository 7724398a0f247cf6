"""The studio's LoRAs as A1111's built-in module lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from modules.a1111.bound import bound

if TYPE_CHECKING:
    from modules.networks.library import NetworkInfo


class NetworkOnDisk:
    """One file."""

    def __init__(self, info: NetworkInfo) -> None:
        self._info = info
        self.name = info.name
        self.filename = str(info.path)
        self.alias = info.alias
        self.is_safetensors = info.path.suffix.lower() == ".safetensors"

    @property
    def metadata(self) -> dict[str, str]:
        return dict(self._info.metadata)

    @property
    def shorthash(self) -> str:
        return str(bound().studio.loras.short_hash(self._info))

    hash = shorthash

    def read_hash(self) -> str:
        return self.shorthash

    def get_alias(self) -> str:
        return str(self.alias or self.name)


class Network:
    """One that the prompt of the running job asks for."""

    def __init__(self, name: str, multiplier: float, network_on_disk: NetworkOnDisk | None) -> None:
        self.name = name
        self.network_on_disk = network_on_disk
        self.te_multiplier = self.unet_multiplier = multiplier
        self.dyn_dim = None
        self.modules: dict[str, Any] = {}
        self.mentioned_name = name


class Available(Mapping[str, NetworkOnDisk]):
    """The files as they stand now, by name, or by every alias."""

    def __init__(self, *, aliases: bool) -> None:
        self._aliases = aliases

    def _all(self) -> dict[str, NetworkOnDisk]:
        found = {info.name: NetworkOnDisk(info) for info in bound().studio.loras.infos}
        if self._aliases:
            for one in list(found.values()):
                found.setdefault(one.get_alias(), one)
        return found

    def __getitem__(self, name: str) -> NetworkOnDisk:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Loaded(Sequence[Network]):
    """Those that the prompt of the running job asks for."""

    def _all(self) -> list[Network]:
        work = bound().work
        return [] if work is None else list(work.networks)

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice) -> list[Network]: ...
    def __getitem__(self, index: int | slice) -> Network | list[Network]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def clear(self) -> None:
        """The studio takes its networks off."""


def asked_for(tags: Sequence[Any]) -> list[Network]:
    """The networks of a prompt's tags."""
    available = Available(aliases=True)
    found = []
    for tag in tags:
        if tag.kind == "lora" and tag.args:
            strength = tag.args[1] if len(tag.args) > 1 else "1"
            try:
                multiplier = float(strength)
            except ValueError:
                multiplier = 1.0
            found.append(Network(tag.args[0], multiplier, available.get(tag.args[0])))
    return found
