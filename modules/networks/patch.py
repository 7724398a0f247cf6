"""Networks in a model's weights for the time of a `with`: applied in place, undone bit by bit, remembered.

Going back to the set of networks that was used last costs nothing; where only some strengths differ, only the weights
that they concern are computed again. Nothing is done per step.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from modules.networks.blocks import BlockWeights
from modules.networks.merge import Contribution, Target, merge, merge_bias, ordered
from modules.networks.names import ModuleNames, Part, Place
from modules.networks.network import ModuleDelta, Network
from modules.networks.running import can_run, must_run, running
from modules.networks.slot import Slot

if TYPE_CHECKING:
    from torch import nn

Key = tuple[int, str, Target]
BIAS_ENDS = ("diff_b", "b_norm", "lora_up.bias", "lora_B.bias")
Room = Callable[[torch.device, int], bool]


@dataclass(frozen=True, eq=False)
class Wanted:
    """A network and how much of it: multipliers for the denoising network and for the text encoders. `rank`: use the
    first ranks only. `copies`: how often it is added."""

    network: Network
    unet: float = 1.0
    te: float = 1.0
    rank: int | None = None
    blocks: BlockWeights | None = None
    copies: int = 1

    @property
    def signature(self) -> Hashable:
        return self.network.identity, self.unet, self.te, self.rank, self.blocks, self.copies

    @property
    def text_signature(self) -> Hashable:
        """The same only for the same change of the text encoders."""
        return self.network.identity, self.te, self.rank, self.blocks and self.blocks.base, self.copies

    def for_text_only(self) -> Wanted:
        """The same without its part in the denoising network."""
        return replace(self, unet=0.0)

    def multiplier(self, place: Place) -> float:
        if place.part:
            return self.te * (1.0 if self.blocks is None else self.blocks.base)
        return self.unet * (1.0 if self.blocks is None else self.blocks.of(place.block))


@dataclass(frozen=True)
class Applied:
    """What `patched` did, for each network asked for, in order. unused: the keys of its file that found no place.
    in_text: whether it changes a text encoder."""

    unused: tuple[tuple[str, ...], ...]
    in_text: tuple[bool, ...]


@dataclass(frozen=True)
class _Binding:
    """Where each delta of a network goes in one model, and the keys that go nowhere."""

    places: tuple[tuple[str, ModuleDelta, Place], ...]
    biases: frozenset[str]
    unused: tuple[str, ...]


@dataclass
class _Memory:
    """What is known of one model: names, places of networks, its slots. Holds no module, so that a model may go."""

    names: ModuleNames
    biased: frozenset[tuple[int, str]]
    bindings: dict[Hashable, _Binding] = field(default_factory=dict)
    slots: dict[Key, Slot] = field(default_factory=dict)
    planned: tuple[Hashable, Mapping[Key, Sequence[Contribution]]] | None = None


def _always(device: torch.device, needed: int) -> bool:
    return True


class Patches:
    """Applies networks to models and remembers, per model, what it applied last.

    room(device, bytes): whether so much more may be taken for remembering. If not, patches are undone without
    being remembered.
    """

    def __init__(self, room: Room = _always) -> None:
        self._room = room
        self._memories: WeakKeyDictionary[nn.Module, _Memory] = WeakKeyDictionary()

    @contextlib.contextmanager
    @torch.no_grad()
    def patched(self, parts: Sequence[Part], wanted: Sequence[Wanted], *, beside: bool = False) -> Iterator[Applied]:
        """Within: the modules of `parts` have `wanted` in their weights; afterwards their weights are bit by bit as
        before.

        parts: always the same for one model, the denoising network first. beside: run the networks beside the weights
        instead of merging them (slower at each step, nothing to undo).
        """
        memory = self._memory(parts)
        planned = _plan(memory, wanted)
        modules = {part.number: part for part in parts}
        beside_layers: dict[nn.Module, Sequence[Contribution]] = {}
        merged: dict[Key, Slot] = {}
        try:
            for key, contributions in planned.items():
                number, path, target = key
                module = modules[number].module.get_submodule(path)
                if must_run(module) or (beside and can_run(module)):
                    if target == "weight":  # the bias goes with it
                        beside_layers[module] = contributions
                    continue
                slot = merged[key] = _slot(memory, modules[number], key, module)
                put = merge if target == "weight" else merge_bias
                slot.apply(tuple(one.signature for one in contributions), partial(put, contributions=contributions))
            with running(beside_layers):
                yield _told(memory, wanted)
        finally:
            self._undo(memory, merged)

    def blocks(self, parts: Sequence[Part]) -> tuple[str, ...]:
        """The names of the blocks of a model in order, as block weights count them."""
        return tuple(block for block in self._memory(parts).names.blocks if block)

    def forget(self) -> None:
        """Drops everything remembered."""
        for memory in self._memories.values():
            for slot in memory.slots.values():
                slot.forget()

    @property
    def remembered(self) -> int:
        """Bytes that are remembered, over all models."""
        return sum(slot.kept for memory in self._memories.values() for slot in memory.slots.values())

    def _undo(self, memory: _Memory, merged: Mapping[Key, Slot]) -> None:
        needed: dict[torch.device, int] = {}
        for slot in merged.values():
            data = slot.parameter.data
            needed[data.device] = needed.get(data.device, 0) + (0 if slot.kept else data.nbytes)
        keep = all(self._room(device, count) for device, count in needed.items())
        for slot in merged.values():
            slot.restore(keep=keep)
        if not keep:
            for slot in memory.slots.values():
                slot.forget()

    def _memory(self, parts: Sequence[Part]) -> _Memory:
        model = parts[0].module
        memory = self._memories.get(model)
        if memory is None:
            self._memories[model] = memory = _remembering(parts)
        return memory


def plan_of(
    parts: Sequence[Part], wanted: Sequence[Wanted]
) -> tuple[Mapping[Key, Sequence[Contribution]], tuple[tuple[str, ...], ...]]:
    """What `wanted` would give to which weight of `parts`, and for each network the keys that fit nowhere. Touches no
    weight: the modules may be without any."""
    memory = _remembering(parts)
    return _plan(memory, wanted), _told(memory, wanted).unused


def _remembering(parts: Sequence[Part]) -> _Memory:
    biased = frozenset(
        (part.number, path)
        for part in parts
        for path, module in part.module.named_modules()
        if module._parameters.get("bias") is not None
    )
    return _Memory(ModuleNames(parts), biased)


def _told(memory: _Memory, wanted: Sequence[Wanted]) -> Applied:
    bindings = [_binding(memory, one.network) for one in wanted]
    return Applied(
        tuple(binding.unused for binding in bindings),
        tuple(
            any(place.part and one.multiplier(place) for _, _, place in binding.places)
            for one, binding in zip(wanted, bindings, strict=True)
        ),
    )


def _slot(memory: _Memory, part: Part, key: Key, module: nn.Module) -> Slot:
    parameter = module._parameters[key[2]]
    assert parameter is not None
    slot = memory.slots.get(key)
    if slot is None or slot.parameter is not parameter:
        memory.slots[key] = slot = Slot(parameter, part.source, f"{key[1]}.{key[2]}")
    return slot


def _plan(memory: _Memory, wanted: Sequence[Wanted]) -> Mapping[Key, Sequence[Contribution]]:
    """What goes to which weight. The last plan is remembered."""
    question = tuple(one.signature for one in wanted)
    if memory.planned is not None and memory.planned[0] == question:
        return memory.planned[1]
    plan: dict[Key, list[Contribution]] = {}
    for one in wanted:
        binding = _binding(memory, one.network)
        for group, delta, place in binding.places:
            multiplier = one.multiplier(place)
            if multiplier:
                given = Contribution((one.network.identity, group), delta, place, multiplier, one.rank)
                plan.setdefault((place.part, place.path, "weight"), []).extend([given] * one.copies)
                if group in binding.biases:
                    plan.setdefault((place.part, place.path, "bias"), []).extend([given] * one.copies)
    memory.planned = (question, {key: ordered(contributions) for key, contributions in plan.items()})
    return memory.planned[1]


def _binding(memory: _Memory, network: Network) -> _Binding:
    known = memory.bindings.get(network.identity)
    if known is None:
        while len(memory.bindings) > 16:
            memory.bindings.pop(next(iter(memory.bindings)))
        memory.bindings[network.identity] = known = _bind(memory, network)
    return known


def _bind(memory: _Memory, network: Network) -> _Binding:
    places: list[tuple[str, ModuleDelta, Place]] = []
    biases: set[str] = set()
    unused = list(network.unknown)
    for group, delta in network.deltas.items():
        found = memory.names.find(group)
        if not _fits(delta, found):
            unused += network.keys[group]
            continue
        places += [(group, delta, place) for place in found]
        if delta.bias is not None:
            rows = sum(place.shape[0] for place in found)
            if delta.bias.numel() == rows and all((place.part, place.path) in memory.biased for place in found):
                biases.add(group)
            else:
                unused += [key for key in network.keys[group] if key.endswith(BIAS_ENDS)]
    return _Binding(tuple(places), frozenset(biases), tuple(unused))


def _fits(delta: ModuleDelta, places: Sequence[Place]) -> bool:
    """Whether the weights at `places`, taken together, have the shape that `delta` is for."""
    if not places:
        return False
    shape = places[0].shape
    own = delta.adapter.shape
    if len(places) > 1:
        # Joined rows. What depends on the weight would need all of them at once.
        rows = sum(place.shape[0] for place in places)
        return not delta.depends_on_weight and delta.adapter.fits((rows, *shape[1:]))
    if delta.adapter.fits(shape):
        return True
    if own is None or delta.depends_on_weight or own[0] != shape[0]:
        return False
    if places[0].attention_only:
        return math.prod(own) < math.prod(shape)
    # The first convolution of an inpainting model has more inputs than that of the model it was made from.
    return len(own) == len(shape) == 4 and own[1] == 4 and shape[1] > 4 and own[2:] == shape[2:]
