"""Checkpoints merged: every tensor goes from the mapped files through the formula into the new file, one at a time.

    No interpolation   A
    Weighted sum       (1 - M) A + M B
    Add difference     A + M (B - C)

in float32, whatever the files' formats; what is not a network's weight (noise tables, positions) stays A's. Averaged
copies (`model_ema.*`) are never read, so a merged file has none. Source: spec/features.md §7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from modules.checkpoints.files import StateDict
from modules.checkpoints.tensor_info import TORCH_NAMES
from modules.merging.bake import Baked
from modules.merging.blocks import multipliers
from modules.merging.vae import vae_tensors
from modules.merging.writer import Planned, new_file
from modules.terms.errors import BadRequest
from modules.terms.merging import ADD_DIFFERENCE, AS_STORED, CKPT, NO_INTERPOLATION, MergeRequest

OnStep = Callable[[int, int], None]
# Text encoders of SD 1.x were renamed in transformers 4.31: files have either name.
OLD_TEXT, NEW_TEXT = "cond_stage_model.transformer.", "cond_stage_model.transformer.text_model."
EXTRA_INPUTS: Mapping[int, str] = {9: "inpainting", 8: "instruct-pix2pix"}
PLAIN_INPUTS = 4


@dataclass(frozen=True)
class Sources:
    """The opened files of a merge. vae: the file of the VAE that is to be baked in. baked: LoRAs."""

    primary: StateDict
    secondary: StateDict | None = None
    tertiary: StateDict | None = None
    vae: StateDict | None = None
    baked: Baked | None = None


@dataclass(frozen=True)
class Merged:
    """What `merge` makes of `sources`, planned: which keys, and in which format each is written.

    notes: sentences for the user. variant: "inpainting" or "instruct-pix2pix" if A is such a model and another is not.
    """

    request: MergeRequest
    sources: Sources
    planned: Mapping[str, Planned]
    notes: tuple[str, ...] = ()
    variant: str = ""
    vae: Mapping[str, Tensor] = field(default_factory=dict)

    def write(self, path: Path, metadata: Mapping[str, str], on_step: OnStep) -> None:
        """Writes the file. `on_step(done, total)` counts tensors; whatever it raises ends the work without a file.

        Raises: WebuiError if the disk is full, OSError.
        """
        pickled = self.request.file_format == CKPT
        strength = multipliers(self.request.blocks, self.request.multiplier, self.sources.primary)
        with new_file(path, self.planned, metadata, pickled=pickled) as file:
            for done, (key, one) in enumerate(self.planned.items()):
                on_step(done, len(self.planned))
                file.write(key, self._tensor(key, strength.of(key)).to(one.dtype))
                for state in (self.sources.primary, self.sources.secondary, self.sources.tertiary):
                    if state is not None and (name := spelt_in(state, key)) is not None:
                        state.release(name)
            on_step(len(self.planned), len(self.planned))

    def _tensor(self, key: str, multiplier: float) -> Tensor:
        if key in self.vae:
            return self.vae[key]
        sources, request = self.sources, self.request
        own = sources.primary[key]
        baked = None if sources.baked is None else sources.baked.of(key)
        others = others_of(sources, request, key)
        if not others and baked is None:
            return own
        merged = own.to(torch.float32, copy=True)
        if others:
            # A model for inpainting has inputs beside the latents: they stay as they are.
            inside = merged[:, :PLAIN_INPUTS] if merged.shape != others[0].shape else merged
            _merge_into(inside, others, multiplier)
        if baked is not None:
            baked(merged)
        return merged


def _merge_into(a: Tensor, others: Sequence[Tensor], multiplier: float) -> None:
    """`a` (float32) = (1 - M) a + M b, or a + M (b - c) if there are two others."""
    if len(others) == 1:
        a.mul_(1 - multiplier).add_(others[0].float() * multiplier)
    else:
        a.add_((others[0].float() - others[1].float()).mul_(multiplier))


def others_of(sources: Sources, request: MergeRequest, key: str) -> tuple[Tensor, ...]:
    """The tensors that are merged into A's `key`: none, B's, or B's and C's."""
    if request.method == NO_INTERPOLATION or sources.secondary is None or not is_weight(sources.primary, key):
        return ()
    name = spelt_in(sources.secondary, key)
    if name is None:
        return ()
    if request.method != ADD_DIFFERENCE:
        return (sources.secondary[name],)
    third = None if sources.tertiary is None else spelt_in(sources.tertiary, key)
    # What C does not have is no difference, as in A1111.
    return () if third is None or sources.tertiary is None else (sources.secondary[name], sources.tertiary[third])


def is_weight(state: StateDict, key: str) -> bool:
    """Whether `key` is a number of a network, not a table of the noise schedule or a position."""
    info = state.header.tensors[key]
    return "." in key and (info.packed or info.dtype.startswith(("F", "BF")))


def spelt_in(state: StateDict, key: str) -> str | None:
    """`key` as `state` spells it; None if it has no such tensor."""
    if key in state:
        return key
    for old, new in ((NEW_TEXT, OLD_TEXT), (OLD_TEXT, NEW_TEXT)):
        if key.startswith(old) and (other := new + key[len(old) :]) in state:
            return other
    return None


def plan(request: MergeRequest, sources: Sources) -> Merged:
    """Everything about the merge but the numbers.

    Raises: BadRequest if the models do not fit together, or nothing would be left.
    """
    state = sources.primary
    multipliers(request.blocks, request.multiplier, state)  # says now what is wrong with it
    vae = {} if sources.vae is None else vae_tensors(state, sources.vae)
    keys = sorted(state, key=lambda key: state.header.tensors[key].begin)  # so that disks are read from front to back
    pattern = re.compile(request.discard) if request.discard else None
    kept = [key for key in dict.fromkeys((*keys, *vae)) if pattern is None or not pattern.search(key)]
    if not kept:
        raise BadRequest(f"{request.discard!r} matches every weight; nothing would be left. Write a narrower pattern.")
    variants = {_variant(request, sources, key) for key in kept if key in state}
    planned = {key: _planned(request, state, key, vae) for key in kept}
    vae = {key: tensor for key, tensor in vae.items() if key in planned}
    return Merged(request, sources, planned, _notes(request, sources, kept), max(variants, default=""), vae)


def _planned(request: MergeRequest, state: StateDict, key: str, vae: Mapping[str, Tensor]) -> Planned:
    tensor = vae.get(key)
    shape = state.header.tensors[key].shape if tensor is None else tuple(tensor.shape)
    dtype = _dtype(state, key) if tensor is None else tensor.dtype
    if request.number_format != AS_STORED and dtype.is_floating_point and "." in key:
        dtype = getattr(torch, request.number_format)
    return Planned(dtype, shape)


def _dtype(state: StateDict, key: str) -> torch.dtype:
    """The format in which A's tensor is written "as it is"; what is quantised there comes out in half precision."""
    info = state.header.tensors[key]
    stored: torch.dtype = getattr(torch, TORCH_NAMES[info.dtype]) if info.plain else torch.float16
    return stored


def _variant(request: MergeRequest, sources: Sources, key: str) -> str:
    """What A's tensor has that the others lack. Raises: BadRequest if their shapes do not fit together."""
    shape = sources.primary.header.tensors[key].shape
    found = {tuple(other.shape) for other in others_of(sources, request, key)}
    if not found or found == {shape}:
        return ""
    (other, *more) = found
    same_but_inputs = len(other) == len(shape) == 4 and (other[0], *other[2:]) == (shape[0], *shape[2:])
    if not more and same_but_inputs and other[1] == PLAIN_INPUTS and shape[1] in EXTRA_INPUTS:
        return EXTRA_INPUTS[shape[1]]
    if not more and same_but_inputs and shape[1] == PLAIN_INPUTS and other[1] in EXTRA_INPUTS:
        kind = EXTRA_INPUTS[other[1]]
        raise BadRequest(f"To merge an {kind} model with a plain one, choose the {kind} model as A.")
    raise BadRequest(
        f"The models are of different kinds: {key} is {'x'.join(map(str, shape))} in A and "
        f"{' and '.join('x'.join(map(str, one)) for one in sorted(found))} in the others."
    )


def _notes(request: MergeRequest, sources: Sources, kept: Sequence[str]) -> tuple[str, ...]:
    if request.method == NO_INTERPOLATION:
        return () if sources.baked is None else sources.baked.notes
    weights = [key for key in kept if key in sources.primary and is_weight(sources.primary, key)]
    alone = [key for key in weights if not others_of(sources, request, key)]
    if weights and len(alone) == len(weights):
        raise BadRequest("The models have nothing in common: none of A's weights is in the others under the same name.")
    notes = [] if sources.baked is None else [*sources.baked.notes]
    if alone:
        notes.append(
            f"{len(alone)} of {len(weights)} weights of A are not in the others and stayed as they were ({alone[0]} …)."
        )
    return tuple(notes)
