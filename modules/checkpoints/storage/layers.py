"""Layers that hold their weight packed and unpack it each time they run.

`weight` is the bytes, as int8: the one integer type that T5 in transformers leaves alone, where it would cast the
activations to the type of any other weight. Networks (LoRA …) run beside such a layer: its bytes never change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.checkpoints.storage.packed import Float8, Packed


class Stored(nn.Module):
    """What the layers below have in common. compute_dtype: what diffusers asks for in place of the weight's type."""

    def __init__(self, like: nn.Module, packed: Packed, compute_dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        # Dimensions, padding and so on of the layer whose place it takes.
        self.__dict__.update({name: value for name, value in vars(like).items() if name not in self.__dict__})
        self.register_parameter("weight", nn.Parameter(packed.data, requires_grad=False))
        for name, value in packed.aids.items():
            self.register_buffer(f"weight_{name}", value, persistent=False)
        if "bias" in like._parameters:
            self.register_parameter("bias", like._parameters["bias"])
        self.compute_dtype = compute_dtype
        self._described = replace(packed, data=packed.data[:0], aids=dict.fromkeys(packed.aids, packed.data[:0]))

    @property
    def packed(self) -> Packed:
        """The weight, wherever the module has been moved."""
        aids = {name: getattr(self, f"weight_{name}") for name in self._described.aids}
        data = self._parameters["weight"]
        assert data is not None
        return replace(self._described, data=data.data, aids=aids)

    def unpacked_weight(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The numbers that the weight means."""
        return self.packed.unpacked(dtype)


class StoredLinear(Stored, nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.unpacked_weight(input.dtype), self.bias)


class StoredConv2d(Stored, nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        # _conv_forward, because it pads as the module does when pictures are tiled.
        output: Tensor = self._conv_forward(input, self.unpacked_weight(input.dtype), self.bias)
        return output


class StoredEmbedding(Stored, nn.Embedding):
    """Unpacks only the rows that are looked up."""

    def forward(self, input: Tensor) -> Tensor:
        found, places = torch.unique(input, return_inverse=True)
        return functional.embedding(places, self.packed.with_rows(found).unpacked(self.compute_dtype))


# Exact types: what is derived from them may do more than multiply (transformers' scaled embeddings).
_HOLDERS: dict[type[nn.Module], type[Stored]] = {
    nn.Linear: StoredLinear,
    nn.Conv2d: StoredConv2d,
    nn.Embedding: StoredEmbedding,
}


def holdable(module: nn.Module, name: str, packed: Packed, view: Callable[[Tensor], Tensor]) -> Packed | None:
    """`packed` as `module` can hold it under `name`, seen through `view`; None if it has to be unpacked."""
    holder = _HOLDERS.get(type(module))
    if holder is None or name != "weight" or (holder is StoredConv2d and not packed.packing.elementwise):
        return None
    if len(packed.shape) != 2:
        return packed if packed.packing.elementwise and view(packed.data) is packed.data else None
    rows = rows_seen(view, packed.shape)
    if rows is None:
        return None
    return packed if torch.equal(rows, torch.arange(packed.shape[0])) else packed.with_rows(rows)


def in_eight_bits(module: nn.Module, name: str, value: Tensor, dtype: torch.dtype) -> Packed | Tensor | None:
    """`value`, as `module` holds it under `name` when matrices and convolutions are kept in eight bits.

    Returns: the weight packed, the bias rounded to eight bits, None for what stays as it is. As A1111 does it, so that
    its pictures come out again: plain float8_e4m3fn without a scale, from `dtype`, biases too.
    """
    if type(module) not in (nn.Linear, nn.Conv2d) or name not in ("weight", "bias"):
        return None
    small = value.to(dtype).to(torch.float8_e4m3fn)
    if name == "bias":
        return small.to(dtype)
    return Packed(small.view(torch.int8), tuple(value.shape), Float8(torch.float8_e4m3fn))


def rows_seen(view: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Tensor | None:
    """Which rows of a matrix `view` shows, in their order; None if it does anything else with it."""
    probe = torch.arange(shape[0]).view(-1, 1).expand(shape[0], shape[1])
    try:
        seen = view(probe)
    except (RuntimeError, IndexError):
        return None
    if seen.ndim != 2 or seen.shape[1] != shape[1]:
        return None
    rows = seen[:, 0]
    return rows if torch.equal(rows, seen[:, -1]) else None


def hold(network: nn.Module, path: str, packed: Packed, compute_dtype: torch.dtype) -> None:
    """The module at `path` of `network` replaced by one that holds `packed`. Its bias stays."""
    module = network.get_submodule(path)
    network.set_submodule(path, _HOLDERS[type(module)](module, packed, compute_dtype))
