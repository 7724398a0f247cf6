"""From the names of an original code to those of diffusers: modules renamed, fused matrices cut, halves swapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from modules.checkpoints.components import Piece, halves_swapped, need_shape, numbered, split_rows
from modules.checkpoints.files import Header

ENDS = ("weight", "bias")


@dataclass
class Respelling:
    """Collects where each tensor of a network lies in a file whose keys begin with `prefix`.

    pieces, modules: as a `Component` takes them. What the file lacks is left out; loading then says what is missing.
    """

    header: Header
    prefix: str = ""
    pieces: dict[str, Piece] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        return f"{self.prefix}{key}" in self.header

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of `key`. Raises: UnknownFile if the file lacks it."""
        return need_shape(self.header, f"{self.prefix}{key}")

    def count(self, prefix: str) -> int:
        """How many of `prefix`0, `prefix`1, … there are."""
        return numbered(self.header, f"{self.prefix}{prefix}")

    def tensor(self, old: str, new: str) -> None:
        """One tensor."""
        if self.has(old):
            self.pieces[new] = Piece(f"{self.prefix}{old}")

    def module(self, old: str, new: str) -> None:
        """A module with weight and bias, as far as the file has them."""
        self.modules[old] = new
        for end in ENDS:
            self.tensor(f"{old}.{end}", f"{new}.{end}")

    def swapped(self, old: str, new: str) -> None:
        """A module whose rows are (shift, scale), which diffusers wants as (scale, shift)."""
        for end in ENDS:
            if self.has(f"{old}.{end}"):
                self.pieces[f"{new}.{end}"] = Piece(f"{self.prefix}{old}.{end}", halves_swapped)

    def cut(self, old: str, new: Sequence[str], rows: Sequence[int] = ()) -> None:
        """A module that is several of diffusers', one below the other. rows: of each; default: all alike."""
        for end in ENDS:
            if self.has(f"{old}.{end}"):
                whole = self.shape(f"{old}.{end}")[0]
                counts = rows or [whole // len(new)] * len(new)
                parts = split_rows(Piece(f"{self.prefix}{old}.{end}"), counts)
                self.pieces |= {f"{name}.{end}": part for name, part in zip(new, parts, strict=True)}

    def as_it_is(self) -> None:
        """Everything under the prefix, for files that diffusers wrote."""
        for key in self.header:
            if key.startswith(self.prefix):
                new = key[len(self.prefix) :]
                self.pieces[new] = Piece(key)
                self.modules[new.rpartition(".")[0]] = new.rpartition(".")[0]


def prefix_of(
    header: Header, key: str, prefixes: Sequence[str] = ("model.diffusion_model.", "", "transformer.")
) -> str | None:
    """Which of `prefixes` stands before `key` in the file; None if none does."""
    return next((prefix for prefix in prefixes if f"{prefix}{key}" in header), None)
