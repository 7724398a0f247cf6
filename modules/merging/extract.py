"""The difference of two checkpoints as a LoRA: for each layer the product of two thin matrices nearest to it.

The factors come from a randomised singular value decomposition, which needs a few products with the matrix instead of
its whole decomposition. Source: Halko, Martinsson, Tropp (2011), arXiv:0909.4061, algorithms 4.4 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from modules.checkpoints.components import Component
from modules.checkpoints.files import StateDict
from modules.merging.bake import model_parts, piece_of
from modules.merging.merge import spelt_in
from modules.networks.names import shape_of
from modules.terms.errors import BadRequest
from modules.terms.merging import ExtractRequest

OVERSAMPLING = 8
POWER_ITERATIONS = 2

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Extracted:
    """tensors: of the LoRA file, under kohya's names. captured: the share of the difference's energy (sum of squares)
    that the LoRA has. left: normalisations that differ; a LoRA cannot hold them."""

    tensors: dict[str, Tensor]
    captured: float
    left: int = 0


def extract(tuned: StateDict, base: StateDict, request: ExtractRequest, on_step: OnStep) -> Extracted:
    """A LoRA that takes `base` to `tuned`. `on_step(done, total)` counts modules and may raise to stop.

    Raises: UnknownFile if `tuned` is no checkpoint; BadRequest if the two are of different kinds, or the same.
    """
    generator = Generator().manual_seed(0)
    dtype: torch.dtype = getattr(torch, request.number_format)
    tensors: dict[str, Tensor] = {}
    whole = kept = 0.0
    left = 0
    modules = list(_modules(tuned, request))
    for done, (group, path, component) in enumerate(modules):
        on_step(done, len(modules))
        difference = _difference(tuned, base, component, path)
        if difference is None:
            continue
        if difference.ndim < 2:
            left += 1
            continue
        is_spatial = difference.ndim == 4 and difference.shape[2] > 1
        rank = min(request.conv_rank or request.rank if is_spatial else request.rank, *_sides(difference))
        up, down = low_rank(difference.flatten(1), rank, generator)
        whole += float(difference.square().sum())
        kept += float((up @ down).square().sum())
        tensors |= _named(group, up.to(dtype), down.to(dtype), difference)
    on_step(len(modules), len(modules))
    if not tensors:
        raise BadRequest("The two models have the same weights: there is nothing to extract. Choose another model.")
    return Extracted(tensors, min(1.0, kept / whole), left)


def _modules(state: StateDict, request: ExtractRequest) -> Iterator[tuple[str, str, Component[Any]]]:
    """(kohya's name, path, component) of every module with a weight."""
    parts = model_parts(state)
    several = sum(1 for part, _ in parts if part.number) > 1
    unet = any(name == "down_blocks" for name, _ in parts[0][0].module.named_children())
    for part, component in parts:
        if part.number and not request.text_encoder:
            continue
        for path, module in part.module.named_modules():
            if shape_of(module) is not None and not path.endswith(("token_embedding", "position_embedding")):
                yield kohya_name(part.number, path, several=several, unet=unet), path, component


def kohya_name(part: int, path: str, *, several: bool, unet: bool = True) -> str:
    """What kohya's scripts call a module; `several`: the model has more than one text encoder. Not `unet`: the network
    is a transformer, whose modules OneTrainer's prefix leads to in other programs, too."""
    flat = path.replace(".", "_")
    if not part:
        return f"lora_{'unet' if unet else 'transformer'}_{flat}"
    prefix = f"lora_te{part}" if several else "lora_te"
    if part > 2:
        return f"{prefix}_{flat}"
    return f"{prefix}_text_model_{flat.removeprefix('text_model_')}"


def _difference(tuned: StateDict, base: StateDict, component: Component[Any], path: str) -> Tensor | None:
    """Tuned minus base, float32; None if they are the same in the coarser of their formats. Raises: BadRequest."""
    piece = piece_of(component, f"{path}.weight")
    name = spelt_in(base, piece.key)
    if name is None or base.header.tensors[name].shape != tuned.header.tensors[piece.key].shape:
        raise BadRequest(f"The two models are of different kinds: {piece.key} is not in both in one shape.")
    after, before = piece.view(tuned[piece.key]), piece.view(base[name])
    coarser = min(after.dtype, before.dtype, key=lambda dtype: dtype.itemsize)
    same = torch.equal(after.to(coarser), before.to(coarser))
    difference = None if same else after.float() - before.float()
    tuned.release(piece.key)
    base.release(name)
    return difference


def low_rank(matrix: Tensor, rank: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """(O, rank) and (rank, I) whose product is nearly the nearest to `matrix` (O, I) of that rank."""
    width = min(rank + OVERSAMPLING, *matrix.shape)
    basis = torch.linalg.qr(matrix @ torch.randn(matrix.shape[1], width, generator=generator)).Q
    for _ in range(POWER_ITERATIONS):
        basis = torch.linalg.qr(matrix.t() @ basis).Q
        basis = torch.linalg.qr(matrix @ basis).Q
    left, sizes, right = torch.linalg.svd(basis.t() @ matrix, full_matrices=False)
    roots = sizes[:rank].sqrt()
    return (basis @ left[:, :rank]) * roots, roots[:, None] * right[:rank]


def _sides(difference: Tensor) -> tuple[int, int]:
    return difference.shape[0], difference[0].numel()


def _named(group: str, up: Tensor, down: Tensor, difference: Tensor) -> dict[str, Tensor]:
    rank = down.shape[0]
    if difference.ndim == 4:
        up, down = up[..., None, None], down.view(rank, *difference.shape[1:])
    return {
        f"{group}.lora_up.weight": up.contiguous(),
        f"{group}.lora_down.weight": down.contiguous(),
        f"{group}.alpha": torch.tensor(float(rank)),
    }
