"""What a kind of model is: how a file of it is recognised. blueprint.py is the plan by which it is built.

Recognition is declared on keys and shapes (data that can be read, composed and tested), from the header alone: no
tensor is read and torch is not needed. A new family is one file in `families/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from modules.checkpoints.blueprint import Blueprint
from modules.checkpoints.components import fitting
from modules.checkpoints.files import Header
from modules.checkpoints.folder import pipeline_of
from modules.checkpoints.latent import LatentFormat
from modules.checkpoints.looks import guess
from modules.checkpoints.sidecar import Sidecar
from modules.terms.errors import UnknownFile


class Condition(Protocol):
    def __call__(self, header: Header) -> bool: ...


@dataclass(frozen=True)
class Has:
    """True if the file has all of these keys."""

    keys: tuple[str, ...]

    def __init__(self, *keys: str) -> None:
        object.__setattr__(self, "keys", keys)

    def __call__(self, header: Header) -> bool:
        return all(key in header for key in self.keys)


@dataclass(frozen=True)
class Side:
    """True if `key` is there and its shape has one of `sizes` at `axis`."""

    key: str
    axis: int
    sizes: tuple[int, ...]

    def __init__(self, key: str, axis: int, *sizes: int) -> None:
        for name, value in (("key", key), ("axis", axis), ("sizes", sizes)):
            object.__setattr__(self, name, value)

    def __call__(self, header: Header) -> bool:
        shape = header.shape(self.key)
        return shape is not None and len(shape) > self.axis and shape[self.axis] in self.sizes


@dataclass(frozen=True)
class FolderOf:
    """True for folders of diffusers whose pipeline's name begins with one of these, and that have all of `parts` and
    none of `without`."""

    pipelines: tuple[str, ...]
    parts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def __call__(self, header: Header) -> bool:
        return (
            pipeline_of(header.metadata).startswith(self.pipelines)
            and all(header.has_prefix(f"{part}.") for part in self.parts)
            and not any(header.has_prefix(f"{part}.") for part in self.without)
        )


@dataclass(frozen=True)
class All:
    conditions: tuple[Condition, ...]

    def __init__(self, *conditions: Condition) -> None:
        object.__setattr__(self, "conditions", conditions)

    def __call__(self, header: Header) -> bool:
        return all(condition(header) for condition in self.conditions)


@dataclass(frozen=True)
class AnyOf:
    conditions: tuple[Condition, ...]

    def __init__(self, *conditions: Condition) -> None:
        object.__setattr__(self, "conditions", conditions)

    def __call__(self, header: Header) -> bool:
        return any(condition(header) for condition in self.conditions)


@dataclass(frozen=True)
class Family:
    """One kind of model.

    recognise: no false negatives among files of this kind; a file that two families recognise belongs to the one that
    says it comes `before` the other. draw: the plan of a file that was recognised; shapes that make no sense are an
    UnknownFile whoever wrote it.
    """

    name: str
    recognise: Condition
    draw: Callable[[Header, Sidecar], Blueprint]
    latent: LatentFormat
    aliases: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    native_size: int = 512

    def __post_init__(self) -> None:
        plan = self.draw

        def draw(header: Header, sidecar: Sidecar) -> Blueprint:
            with fitting(header.path, self.name):
                return plan(header, sidecar)

        object.__setattr__(self, "draw", draw)


@dataclass
class Families:
    """All families, those that come `before` others first."""

    _entries: list[Family] = field(default_factory=list)

    def add(self, family: Family) -> Family:
        """`family`, now known. Raises: ValueError if the name is taken, or if `before` goes in a circle (and then
        nothing is changed)."""
        if any(known.name == family.name for known in self._entries):
            raise ValueError(f"there already is a family called {family.name!r}")
        self._entries = _ordered([*self._entries, family])
        return family

    def __iter__(self) -> Iterator[Family]:
        return iter(self._entries)

    def __getitem__(self, name: str) -> Family:
        return next(family for family in self._entries if family.name == name or name in family.aliases)

    def of(self, header: Header) -> Family:
        """The family of a file. Raises: UnknownFile saying what the file looks like instead."""
        for family in self._entries:
            if family.recognise(header):
                return family
        known = ", ".join(family.name for family in self._entries)
        raise UnknownFile(
            f"{header.path.name} is no checkpoint of a family that can be drawn with: {guess(header)}. Known: {known}."
        )


def _ordered(entries: Iterable[Family]) -> list[Family]:
    waiting = list(entries)
    ordered: list[Family] = []
    while waiting:
        ready = [
            family
            for family in waiting
            if not any(family.name in other.before for other in waiting if other is not family)
        ]
        if not ready:
            raise ValueError(f"`before` goes in a circle: {', '.join(family.name for family in waiting)}")
        ordered += ready
        waiting = [family for family in waiting if family not in ready]
    return ordered
