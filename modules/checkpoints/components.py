"""Parts of a model before they are built: which network, and where in the file each of its tensors lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from modules.checkpoints.files import Header
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from torch import Tensor


N = TypeVar("N", covariant=True)


# What arithmetic on shapes that do not fit together raises.
MISFITS = (IndexError, KeyError, ValueError, TypeError, ZeroDivisionError, AssertionError, RuntimeError)


@contextmanager
def fitting(path: Path, words: str) -> Iterator[None]:
    """Inside, tensors of `path` that do not fit together are told in a sentence; `words`: what the file is taken for.

    Raises: UnknownFile.
    """
    try:
        yield
    except MISFITS as error:
        raise UnknownFile(
            f"{path.name} looks like {words}, but its tensors do not fit together ({error}). It is damaged, or of a "
            "kind that is not known: choose another file."
        ) from error


def as_stored(tensor: Tensor) -> Tensor:
    return tensor


def as_matrix(tensor: Tensor) -> Tensor:
    """A 1x1 convolution's weight (O, I, 1, 1) as the matrix (O, I) that it is."""
    return tensor.view(tensor.shape[0], -1)


@dataclass(frozen=True)
class Piece:
    """Where a tensor of the network comes from: `key` in the file, seen through `view` (no copy)."""

    key: str
    view: Callable[[Tensor], Tensor] = as_stored


@dataclass(frozen=True)
class Component(Generic[N]):
    """One network of a model: `build(config)` makes it (its weights may be on the meta device), `pieces` maps each of
    its state-dict keys to the file, `modules` each module's name in the original layout to its name in the network.

    source: the file, where it is not the checkpoint itself.
    """

    name: str
    build: Callable[[Mapping[str, Any]], N]
    config: Mapping[str, Any]
    pieces: Mapping[str, Piece]
    modules: Mapping[str, str] = field(default_factory=dict)
    source: Path | None = None


def rows(tensor: Tensor, begin: int, end: int) -> Tensor:
    """Some rows of a matrix or bias."""
    return tensor[begin:end]


def halves_swapped(tensor: Tensor) -> Tensor:
    """The second half of the rows before the first, a copy: the original says (shift, scale), diffusers the reverse."""
    import torch

    first, second = tensor.chunk(2, dim=0)
    return torch.cat([second, first], dim=0)


def split_rows(piece: Piece, counts: Sequence[int]) -> tuple[Piece, ...]:
    """`piece` cut into parts of so many rows each; none of them is a copy."""
    ends = list(accumulate(counts))
    return tuple(
        Piece(piece.key, partial(rows, begin=end - count, end=end)) for end, count in zip(ends, counts, strict=True)
    )


def renamed(key: str, modules: Mapping[str, str]) -> str | None:
    """`key` with its longest prefix that is a name in `modules` replaced; None if there is none."""
    parts = key.split(".")
    for length in range(len(parts) - 1, 0, -1):
        new = modules.get(".".join(parts[:length]))
        if new is not None:
            return ".".join((new, *parts[length:]))
    return None


def pieces_under(header: Header, prefix: str, modules: Mapping[str, str]) -> dict[str, Piece]:
    """New key -> piece, for every tensor under `prefix` whose module has a name in `modules`."""
    found = {}
    for key in header:
        if key.startswith(prefix):
            new = renamed(key[len(prefix) :], modules)
            if new is not None:
                found[new] = Piece(key)
    return found


def numbered(header: Header, prefix: str) -> int:
    """How many of `prefix`0, `prefix`1, … the file has: one more than the largest number, 0 if none."""
    numbers = {
        int(digits)
        for key in header
        if key.startswith(prefix) and (digits := key[len(prefix) :].split(".")[0]).isdecimal()
    }
    return max(numbers, default=-1) + 1


def need_shape(header: Header, key: str) -> tuple[int, ...]:
    """The shape of `key`. Raises: UnknownFile if the file lacks it."""
    shape = header.shape(key)
    if shape is None:
        raise UnknownFile(
            f"{header.path.name} is incomplete: it lacks {key}. Download it again, or choose another file."
        )
    return shape
