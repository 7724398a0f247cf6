"""A loaded model as the networks see it: its parts, what the original code calls their modules, and where the weights
can be read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.components import Component, Piece
from modules.checkpoints.files import Header, StateDict, kind_of, open_tensors, read_header
from modules.networks.names import Part
from modules.terms.errors import WebuiError

if TYPE_CHECKING:
    from torch import Tensor, nn

Originals = dict[str, "str | tuple[str, ...]"]
ENDS = (".weight", "_weight")
# Text encoders by the number that networks know them under; SDXL's refiner has the second one only.
NUMBERS = {"clip_l": 1, "clip_g": 2, "t5": 3}


class FileSource:
    """The file that a component was loaded from, opened again: only its header is read until a weight is asked for."""

    def __init__(self, state: StateDict, pieces: Mapping[str, Piece]) -> None:
        self._state, self._pieces = state, pieces

    def stored(self, key: str) -> Tensor | None:
        piece = self._piece(key)
        return None if piece is None or piece.key not in self._state else piece.view(self._state[piece.key])

    def release(self, key: str) -> None:
        piece = self._piece(key)
        if piece is not None:
            self._state.release(piece.key)

    def _piece(self, key: str) -> Piece | None:
        # transformers puts `text_model.` before all names in some of its classes.
        return self._pieces.get(key) or self._pieces.get(key.removeprefix("text_model."))


@dataclass(frozen=True)
class _Known:
    """What is known of one part without the part itself, so that a model may go."""

    number: int
    originals: Originals
    source: FileSource | None


class PartsOf:
    """`parts_of(bundle)`: the parts of a model, denoising network first. What is found out is remembered."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[nn.Module, tuple[_Known, ...]] = WeakKeyDictionary()

    def __call__(self, bundle: ModelBundle) -> tuple[Part, ...]:
        modules = (bundle.unet, *(clip.model for clip in bundle.clips))
        known = self._known.get(bundle.unet)
        if known is None:
            known = self._known[bundle.unet] = tuple(_looked_up(bundle, modules))
        return tuple(
            Part(one.number, module, one.originals, one.source) for one, module in zip(known, modules, strict=True)
        )


def _looked_up(bundle: ModelBundle, modules: Sequence[nn.Module]) -> Iterator[_Known]:
    components = (bundle.blueprint.unet, *(text.component for text in bundle.blueprint.text))
    stamps = (None, *(clip.identity for clip in bundle.clips))
    numbers = (0, *(NUMBERS.get(clip.name, place) for place, clip in enumerate(bundle.clips, 1)))
    paths = [component.source or bundle.info.path for component in components]
    for number, module, component, path in zip(numbers, modules, components, paths, strict=True):
        loaded_as = [stamp for stamp, other in zip(stamps, paths, strict=True) if stamp and other == path]
        header, state = _opened(path, loaded_as)
        if state is not None and not loaded_as and not _same_numbers(module, component, state):
            state = None
        source = None if state is None else FileSource(state, component.pieces)
        yield _Known(number, as_wrapped(module, originals_of(component, header)), source)


def _opened(path: Path, loaded_as: Sequence[object]) -> tuple[Header | None, StateDict | None]:
    """The header of a model's file, and its tensors if it can be mapped and is the file that was loaded.

    loaded_as: identities of encoders that were loaded from it; they carry its stamp as it was then.
    """
    try:
        if kind_of(path) != "safetensors":
            return read_header(path), None
        before = path.stat()
        state = open_tensors(path)
        after = path.stat()
    except (OSError, WebuiError):
        return None, None
    stamp = (str(path), after.st_mtime_ns, after.st_size)
    loaded = all(isinstance(identity, tuple) and identity[:3] == stamp for identity in loaded_as)
    same = (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino)
    return state.header, state if loaded and same else None


def _same_numbers(module: nn.Module, component: Component[Any], state: StateDict) -> bool:
    """Whether some of the module's weights are those of the file: it may have been replaced since it was loaded."""
    weights = {key: value for key, value in module.named_parameters() if key in component.pieces}
    small = sorted(weights, key=lambda key: (weights[key].numel(), key))[: len(weights) // 2 + 1]
    return bool(small) and all(
        torch.equal(
            component.pieces[key].view(state[component.pieces[key].key]).to(weights[key].dtype), weights[key].cpu()
        )
        for key in {small[0], small[len(small) // 2], small[-1]}
    )


def originals_of(component: Component[Any], header: Header | None) -> Originals:
    """Names in the original code -> names here; several names where the original keeps their rows in one matrix."""
    names: Originals = dict(component.modules)
    prefix = _prefix(component)
    if header is None or prefix is None:
        return names
    shared: dict[str, list[tuple[int, str]]] = {}
    for key, piece in component.pieces.items():
        if key.endswith(".weight") and piece.key.endswith(ENDS) and piece.key in header:
            first = _first_row(piece, header.tensors[piece.key].shape)
            if first is not None:
                shared.setdefault(piece.key, []).append((first, key.removesuffix(".weight")))
    for key, places in shared.items():
        if len(places) > 1 and key.startswith(prefix):
            original = key[len(prefix) : -len(ENDS[0])]
            names[original] = tuple(path for _, path in sorted(places))
    return names


def as_wrapped(module: nn.Module, originals: Originals) -> Originals:
    """`originals` with the paths that the modules have if transformers wraps the encoder once more."""
    if "text_model" not in dict(module.named_children()):
        return originals

    def path(bare: str) -> str:
        return bare if bare == "text_projection" else f"text_model.{bare}"

    return {name: path(to) if isinstance(to, str) else tuple(map(path, to)) for name, to in originals.items()}


def _prefix(component: Component[Any]) -> str | None:
    """What stands before the original names in the keys of the file."""
    for original, path in component.modules.items():
        piece = component.pieces.get(f"{path}.weight")
        if piece is not None and piece.key.endswith(f"{original}.weight"):
            return piece.key.removesuffix(f"{original}.weight")
    return None


def _first_row(piece: Piece, shape: tuple[int, ...]) -> int | None:
    """Which row of the matrix in the file is the first of the piece's; None if the piece is not some of its rows."""
    if len(shape) != 2:
        return None
    rows = torch.arange(shape[0]).view(-1, 1).expand(shape[0], 2)
    try:
        seen = piece.view(rows)
    except (RuntimeError, IndexError):
        return None
    if seen.ndim != 2 or seen.shape[1] != 2 or not torch.equal(seen[:, 0], seen[:, 1]):
        return None
    first = int(seen[0, 0])
    return first if torch.equal(seen[:, 0], torch.arange(first, first + len(seen))) else None
