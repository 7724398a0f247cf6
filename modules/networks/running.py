"""Networks beside the weights instead of in them: each layer's output plus what the delta makes of its input.

For weights that cannot be merged into (quantised ones), and for those who ask for it. Costs time at every step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from modules.networks.merge import Contribution

if TYPE_CHECKING:
    from torch import Tensor

MERGEABLE = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def can_run(module: nn.Module) -> bool:
    """Whether the module is one whose output can be added to."""
    return isinstance(module, (nn.Linear, nn.Conv2d))


def must_run(module: nn.Module) -> bool:
    """Whether the weight's format is one that loses too much, or cannot be added to."""
    weight = module._parameters.get("weight")
    return can_run(module) and weight is not None and weight.dtype not in MERGEABLE


@contextlib.contextmanager
def running(layers: Mapping[nn.Module, Sequence[Contribution]]) -> Iterator[None]:
    """Within: every module in `layers` adds what its contributions make of its input."""
    with contextlib.ExitStack() as undo:
        for module, contributions in layers.items():
            undo.callback(module.register_forward_hook(_Added(module, contributions)).remove)
        yield


class _Added:
    """A forward hook. Deltas are computed once, thin ones stay thin."""

    def __init__(self, module: nn.Module, contributions: Sequence[Contribution]) -> None:
        self._conv = module if isinstance(module, nn.Conv2d) else None
        device = next(module.parameters()).device
        self._thin = [
            (self._kernel(pair[1].to(device)), pair[0].to(device), one.strength)
            for one in contributions
            if (pair := one.thin()) is not None
        ]
        whole = [one for one in contributions if one.thin() is None]
        self._whole = _sum_of_whole(module, whole) if whole else None
        self._bias = _sum_of_biases(contributions, device)

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x = args[0]
        for down, up, strength in self._thin:
            narrow = self._layer(x, down.to(x))
            if self._conv is None:
                output = output + functional.linear(narrow, up.to(x)) * strength
            else:
                output = output + functional.conv2d(narrow, up.to(x)[..., None, None]) * strength
        if self._whole is not None:
            output = output + self._layer(x, self._whole.to(x))
        if self._bias is not None:
            bias = self._bias.to(output)
            output = output + (bias if self._conv is None else bias[:, None, None])
        return output

    def _kernel(self, rows: Tensor) -> Tensor:
        """Rows of a matrix as the kernels of a convolution, if that is what the module is."""
        conv = self._conv
        return rows if conv is None else rows.view(len(rows), conv.in_channels // conv.groups, *conv.kernel_size)

    def _layer(self, x: Tensor, weight: Tensor) -> Tensor:
        # _conv_forward, because it pads as the module does when pictures are tiled.
        return functional.linear(x, weight) if self._conv is None else self._conv._conv_forward(x, weight, None)


def _sum_of_whole(module: nn.Module, contributions: Sequence[Contribution]) -> Tensor:
    plain = _plain_weight(module)
    total = torch.zeros_like(plain)
    for one in contributions:
        total += one.whole(plain + total)
    return total


def _plain_weight(module: nn.Module) -> Tensor:
    """The module's weight in float32. Layers that keep it packed say what it means."""
    unpacked = getattr(module, "unpacked_weight", None)
    if unpacked is not None:
        numbers: Tensor = unpacked(torch.float32)
        return numbers
    weight = next(value for name, value in module.named_parameters(recurse=False) if name == "weight")
    return weight.detach().to(torch.float32)


def _sum_of_biases(contributions: Sequence[Contribution], device: torch.device) -> Tensor | None:
    biases = [
        bias.to(device, torch.float32).flatten() * one.multiplier
        for one in contributions
        if (bias := one.bias()) is not None
    ]
    return torch.stack(biases).sum(dim=0) if biases else None
