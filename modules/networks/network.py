"""A network file as deltas by module: what is in it, whichever kind, before it is known which model it meets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modules.networks.files import Stamp, read_metadata, read_tensors, stamp_of
from modules.networks.keys import bundled, said_alphas, spelt
from modules.networks.kind import Adapter, Tensors
from modules.networks.kinds import known_kinds
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from torch import Tensor


# What a module of any kind may have.
COMMON_ENDS = frozenset({"alpha", "scale", "bias", "dora_scale", "diff_b", "lora_up.bias"})


@dataclass(frozen=True, eq=False)
class ModuleDelta:
    """What a network adds to one module.

    scale: alpha through rank. added: of the weight's shape, added to the adapter's delta before scaling. magnitude:
    DoRA's; the sum of weight and delta gets these lengths, per input channel (1, I, …) or per output channel (O, 1, …).
    bias_beside: a difference of the bias, for kinds that have none of their own.
    """

    kind: str
    adapter: Adapter
    scale: float = 1.0
    added: Tensor | None = None
    magnitude: Tensor | None = None
    bias_beside: Tensor | None = None

    @property
    def bias(self) -> Tensor | None:
        """What is added to the module's bias, before multipliers."""
        return self.bias_beside if self.adapter.bias is None else self.adapter.bias

    @property
    def depends_on_weight(self) -> bool:
        return self.adapter.depends_on_weight or self.magnitude is not None

    def factors(self, rank: int | None) -> tuple[Tensor, Tensor] | None:
        """Two thin matrices whose product, times `scale`, is the whole delta; None if it is not that simple."""
        return None if self.added is not None or self.magnitude is not None else self.adapter.factors(rank)

    def delta(self, weight: Tensor, rank: int | None = None) -> Tensor:
        """What is added to `weight` (float32) at multiplier 1, in the shape of the adapter or of the weight."""
        delta = self.adapter.delta(weight, rank)
        if self.added is not None:
            delta = delta + self.added.to(delta).view(delta.shape)
        delta = delta * self.scale
        return delta if self.magnitude is None else _with_magnitude(weight, delta, self.magnitude)


def _with_magnitude(weight: Tensor, delta: Tensor, magnitude: Tensor) -> Tensor:
    """The delta after which the columns (or rows) of the weight are as long as `magnitude` says.

    Source: Liu et al. (2024), arXiv:2402.09353.
    """
    import torch

    merged = weight + delta.view(weight.shape)
    lengths = magnitude.to(weight)
    per_output = magnitude.ndim == 1 or (magnitude.shape[0] == weight.shape[0] and magnitude.shape[0] > 1)
    axes = [axis for axis in range(weight.ndim) if axis != (0 if per_output else 1)]
    shape = [1] * weight.ndim
    shape[0 if per_output else 1] = -1
    stretch: Tensor = lengths.view(shape) / torch.linalg.vector_norm(merged, dim=axes, keepdim=True)
    return merged * stretch - weight


@dataclass(frozen=True, eq=False)
class Network:
    """The content of one file.

    deltas: by the module's name as the file spells it. embeddings: textual inversions inside, by name and encoder
    ("" for any): (n, width). unknown: keys that no kind claims. alike: keys of each module, for telling which keys of
    the file could not be applied.
    """

    path: Path
    stamp: Stamp
    deltas: Mapping[str, ModuleDelta]
    keys: Mapping[str, tuple[str, ...]]
    embeddings: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> Hashable:
        """The same only for the same file content."""
        return str(self.path), *self.stamp

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many modules each kind has, the most first."""
        return dict(Counter(delta.kind for delta in self.deltas.values()).most_common())


def read_network(path: Path) -> Network:
    """The network in `path`. Raises: NotFound, Refused, UnknownFile if it holds none of a known kind."""
    stamp = stamp_of(path)
    metadata = read_metadata(path)
    modules: dict[str, dict[str, Tensor]] = {}
    keys: dict[str, dict[str, str]] = {}
    embeddings: dict[str, dict[str, Tensor]] = {}
    unknown: list[str] = []
    for key, tensor in read_tensors(path).items():
        if inversion := bundled(key):
            vectors = tensor if tensor.ndim > 1 else tensor[None]
            embeddings.setdefault(inversion.name, {})[inversion.encoder] = vectors.float()
        elif found := spelt(key):
            modules.setdefault(found.group, {})[found.end] = tensor
            keys.setdefault(found.group, {})[found.end] = key
        else:
            unknown.append(key)
    deltas, strange = _read_modules(modules, said_alphas(metadata))
    if not deltas and not embeddings:
        some = ", ".join([*unknown, *(key for group in strange for key in keys[group].values())][:3])
        raise UnknownFile(
            f"{path.name} holds no network of a known kind (LoRA, LoHa, LoKr, …); its keys begin with {some}. "
            "Move it to the folder that it belongs in."
        )
    unknown += [key for group in strange for key in keys[group].values()]
    unread = {group: _unread(deltas[group].kind, found) for group, found in keys.items() if group in deltas}
    unknown += [keys[group][end] for group, ends in unread.items() for end in ends]
    known = {group: tuple(key for end, key in keys[group].items() if end not in ends) for group, ends in unread.items()}
    return Network(path, stamp, deltas, known, embeddings, tuple(unknown), metadata)


def _read_modules(
    modules: Mapping[str, Tensors], said_alpha: Callable[[str], float | None]
) -> tuple[dict[str, ModuleDelta], list[str]]:
    """The delta of each module, and the modules that are of no known kind or contradict themselves."""
    deltas: dict[str, ModuleDelta] = {}
    strange: list[str] = []
    for group, tensors in modules.items():
        delta = _read_module(tensors, said_alpha(group))
        if delta is None:
            strange.append(group)
        else:
            deltas[group] = delta
    return deltas, strange


def _read_module(tensors: Tensors, said_alpha: float | None) -> ModuleDelta | None:
    ends = frozenset(tensors)
    kind = next((kind for kind in known_kinds() if kind.recognise(ends)), None)
    if kind is None:
        return None
    try:
        adapter = kind.read(tensors)
    except (KeyError, ValueError, RuntimeError, IndexError):
        return None
    scale = _scale(tensors, adapter.rank, said_alpha)
    return ModuleDelta(kind.name, adapter, scale, tensors.get("bias"), tensors.get("dora_scale"), _bias(tensors, scale))


def _bias(tensors: Tensors, scale: float) -> Tensor | None:
    """What the module's bias gets: a difference of its own, or that of the upper matrix of a LoRA."""
    upper = tensors.get("lora_up.bias")
    return tensors.get("diff_b") if upper is None else upper * scale


def _unread(kind: str, ends: Iterable[str]) -> list[str]:
    """Those of a module's keys that nothing reads."""
    read = next(one.ends for one in known_kinds() if one.name == kind) | COMMON_ENDS
    return [end for end in ends if end not in read]


def _scale(tensors: Tensors, rank: int | None, said_alpha: float | None) -> float:
    if "scale" in tensors:
        return float(tensors["scale"])
    alpha = float(tensors["alpha"]) if "alpha" in tensors else said_alpha
    return 1.0 if alpha is None or not rank else alpha / rank
