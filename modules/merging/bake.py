"""LoRA into the tensors of a checkpoint's file: the same deltas at the same places as while drawing, but for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from modules.checkpoints.components import Component, Piece
from modules.checkpoints.files import StateDict
from modules.checkpoints.load import draw_blueprint
from modules.generation.network_parts import NUMBERS, as_wrapped, originals_of
from modules.networks.merge import Contribution, merge, merge_bias
from modules.networks.names import ModuleNames, Part
from modules.networks.patch import Wanted, plan_of

Change = Callable[[Tensor], None]


@dataclass(frozen=True)
class Baked:
    """Key in the file -> what is added to parts of its tensor. notes: sentences about keys that fit nowhere."""

    changes: Mapping[str, Sequence[tuple[Piece, str, Sequence[Contribution]]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of(self, key: str) -> Change | None:
        """What changes the float32 tensor of `key` in place; None if nothing does."""
        changes = self.changes.get(key)
        if changes is None:
            return None

        def change(tensor: Tensor) -> None:
            for piece, target, contributions in changes:
                part = piece.view(tensor)
                work = part if part.is_contiguous() else part.contiguous()
                (merge if target == "weight" else merge_bias)(work, contributions)
                if work is not part:
                    part.copy_(work)

        return change


def model_parts(state: StateDict) -> tuple[tuple[Part, Component[Any]], ...]:
    """The networks of a checkpoint, laid out without weights, with what the original calls their modules.

    Raises: UnknownFile if it is no checkpoint of a known family.
    """
    blueprint = draw_blueprint(state.header)
    texts = [(NUMBERS.get(text.name, place), text.component) for place, text in enumerate(blueprint.text, 1)]
    found = []
    for number, component in ((0, blueprint.unet), *texts):
        with torch.device("meta"):
            module = component.build(component.config)
        found.append((Part(number, module, as_wrapped(module, originals_of(component, state.header))), component))
    return tuple(found)


def bake(state: StateDict, wanted: Sequence[tuple[str, Wanted]]) -> Baked:
    """What `wanted` (each with its name) adds to the tensors of `state`.

    Raises: UnknownFile if `state` is no checkpoint of a known family.
    """
    parts = model_parts(state)
    planned, unused = plan_of([part for part, _ in parts], [one for _, one in wanted])
    components = {part.number: component for part, component in parts}
    changes: dict[str, list[tuple[Piece, str, Sequence[Contribution]]]] = {}
    for (number, path, target), contributions in planned.items():
        piece = piece_of(components[number], f"{path}.{target}")
        changes.setdefault(piece.key, []).append((piece, target, contributions))
    notes = [
        f"{len(keys)} keys of the LoRA {name} fit nothing in model A ({', '.join(keys[:3])})."
        for (name, _), keys in zip(wanted, unused, strict=True)
        if keys
    ]
    return Baked(changes, tuple(notes))


def blocks_of(state: StateDict) -> tuple[str, ...]:
    """The names of the blocks of a checkpoint in order, as block weights count them. Raises: as `model_parts`."""
    return tuple(block for block in ModuleNames([part for part, _ in model_parts(state)]).blocks if block)


def piece_of(component: Component[Any], key: str) -> Piece:
    """Where the tensor `key` of the network lies in the file."""
    # transformers puts `text_model.` before all names in some of its classes.
    return component.pieces.get(key) or component.pieces[key.removeprefix("text_model.")]
