"""A hypernetwork that nobody has trained yet, in the layout of A1111's files. Source: spec/training.md §2."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from modules.networks.hypernetwork import activation_of
from modules.terms.errors import BadRequest
from modules.terms.registry import nearest

WIDTHS = (320, 640, 768, 1024, 1280)
WIDEST_LAYER = 16
MOST_LAYERS = 16


Draw = Callable[[torch.Tensor, str, torch.Generator], object]


def _normal(weight: torch.Tensor, activation: str, noise: torch.Generator) -> object:
    return nn.init.normal_(weight, mean=0.0, std=0.01, generator=noise)


def _kaiming(init: Callable[..., object]) -> Draw:
    def draw(weight: torch.Tensor, activation: str, noise: torch.Generator) -> object:
        slope = "leaky_relu" if activation == "leakyrelu" else "relu"
        return init(weight, nonlinearity=slope, generator=noise)

    return draw


# Ways to draw the first weights. Those of layer norms are drawn as in "Normal" whatever is chosen, as A1111 does.
STARTS: Mapping[str, Draw] = {
    "Normal": _normal,
    "KaimingUniform": _kaiming(nn.init.kaiming_uniform_),
    "KaimingNormal": _kaiming(nn.init.kaiming_normal_),
    "XavierUniform": lambda weight, activation, noise: nn.init.xavier_uniform_(weight, generator=noise),
    "XavierNormal": lambda weight, activation, noise: nn.init.xavier_normal_(weight, generator=noise),
}


@dataclass(frozen=True)
class Shape:
    """What a new hypernetwork is like. widths: of the contexts that it changes; layers: width of each layer as a
    multiple of that, from 1 to 1; dropout: share dropped behind each layer while training, one per layer."""

    widths: Sequence[int]
    layers: Sequence[float] = (1, 2, 1)
    activation: str = "linear"
    start: str = "Normal"
    norm: bool = False
    dropout: Sequence[float] = ()

    def check(self) -> None:
        """Raises: BadRequest naming what is wrong."""
        if not self.widths or any(width not in WIDTHS for width in self.widths):
            raise BadRequest(
                f"enable_sizes is {list(self.widths)}: choose one or more of {', '.join(map(str, WIDTHS))}."
            )
        sane = all(math.isfinite(layer) and 0 < layer <= WIDEST_LAYER for layer in self.layers)
        if not (2 <= len(self.layers) <= MOST_LAYERS and sane and self.layers[0] == self.layers[-1] == 1):
            raise BadRequest("layer_structure must begin and end with 1, such as 1, 2, 1.")
        if self.start not in STARTS:
            close = nearest(self.start, STARTS) or next(iter(STARTS))
            raise BadRequest(f"There is no weight_init {self.start!r}. Did you mean {close!r}?")
        if self.dropout and (len(self.dropout) != len(self.layers) or any(not 0 <= p < 1 for p in self.dropout)):
            raise BadRequest("dropout_structure needs one number from 0 up to 1 for each entry of layer_structure.")
        try:
            activation_of(self.activation)
        except ValueError as error:
            raise BadRequest(f"activation_func: {error}.") from error


def write_hypernetwork(shape: Shape, name: str, path: Path, noise: torch.Generator) -> None:
    """Writes a new hypernetwork of this shape to `path`; `noise` draws its weights."""
    networks = {
        width: tuple(_network(shape, width, noise).state_dict() for _ in ("keys", "values")) for width in shape.widths
    }
    said: dict[Any, Any] = {
        "step": 0,
        "name": name,
        "layer_structure": list(shape.layers),
        "activation_func": shape.activation,
        "is_layer_norm": shape.norm,
        "weight_initialization": shape.start,
        "sd_checkpoint": None,
        "sd_checkpoint_name": None,
        "activate_output": True,
        "use_dropout": bool(shape.dropout),
        "dropout_structure": list(shape.dropout),
        "last_layer_dropout": bool(shape.dropout) and shape.dropout[-1] > 0,
        "optional_info": None,
    }
    torch.save({**networks, **said}, path)


class _Network(nn.Module):
    """Named as in the files: `linear` holds layers, activations, norms and dropouts in a row."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.linear = nn.Sequential(*layers)


def _network(shape: Shape, width: int, noise: torch.Generator) -> nn.Module:
    activation = activation_of(shape.activation)
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(zip(shape.layers, shape.layers[1:], strict=False), start=1):
        # Without the weights that torch would draw from its global generator.
        linear = nn.utils.skip_init(nn.Linear, int(width * before), int(width * after))
        STARTS[shape.start](linear.weight.data, shape.activation, noise)
        nn.init.zeros_(linear.bias.data)
        layers.append(linear)
        if activation is not None:
            layers.append(activation())
        if shape.norm:
            norm = nn.LayerNorm(int(width * after))
            _normal(norm.weight.data, shape.activation, noise)
            layers.append(norm)
        if shape.dropout and shape.dropout[place] > 0:
            layers.append(nn.Dropout(shape.dropout[place]))
    return _Network(layers)
