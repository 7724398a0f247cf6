"""Hypernetworks: small networks that change what attention reads, before its keys and values are made of it.

A file has two of them (for keys, for values) per width of context. Source: spec/models_and_networks.md §7.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from modules.networks.files import read_pickle
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    from torch import Tensor

Pair = tuple[nn.Module, nn.Module]

# Names that files carry; "swish" has always meant the hard one here.
ACTIVATIONS: Mapping[str, type[nn.Module]] = {"swish": nn.Hardswish, "leakyrelu": nn.LeakyReLU}
_OLD_LAYER = re.compile(r"linear(\d+)\.(weight|bias)")


@dataclass(frozen=True, eq=False)
class Hypernetwork:
    """pairs: width of the context -> the networks for keys and for values, which return what is added to it."""

    path: Path
    pairs: Mapping[int, Pair]
    step: int = 0


def read_hypernetwork(path: Path) -> Hypernetwork:
    """The hypernetwork in `path`. Raises: NotFound, Refused, UnknownFile."""
    loaded = read_pickle(path)
    if not isinstance(loaded, Mapping):
        raise UnknownFile(f"{path.name} is no hypernetwork: move it out of models/hypernetworks.")
    sizes = [key for key in loaded if isinstance(key, int)]
    try:
        pairs = {size: _pair(loaded[size], loaded) for size in sizes}
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise UnknownFile(f"{path.name} is a hypernetwork that cannot be built: {error}.") from error
    if not pairs:
        raise UnknownFile(
            f"{path.name} is no hypernetwork: it has no layers for any width. Move it out of models/hypernetworks."
        )
    return Hypernetwork(path, pairs, int(loaded.get("step") or 0))


def _pair(states: Sequence[Mapping[str, Tensor]], said: Mapping[Any, Any]) -> Pair:
    for_keys, for_values = states
    return _network(for_keys, said), _network(for_values, said)


def _network(state: Mapping[str, Tensor], said: Mapping[Any, Any]) -> nn.Module:
    """The network whose layers `state` has, with the activations that the file names between them.

    In the file layers are numbered among activations, norms and dropouts, which have no numbers of their own to keep
    (dropout is for training only); so they are taken in order.
    """
    state = {_OLD_LAYER.sub(_renumbered, key): value for key, value in state.items()}
    places = sorted({int(key.split(".")[1]) for key in state})
    linear = [place for place in places if state[f"linear.{place}.weight"].ndim == 2]
    if not linear:
        raise ValueError("it has no layers")
    activation = activation_of(said.get("activation_func"))
    layers: list[nn.Module] = []
    for place in places:
        weight, bias = state[f"linear.{place}.weight"].float(), state[f"linear.{place}.bias"].float()
        if weight.ndim == 2:
            layer: nn.Module = nn.Linear(weight.shape[1], weight.shape[0])
        else:
            layer = nn.LayerNorm(weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers.append(layer)
        is_last = place == linear[-1]
        if weight.ndim == 2 and activation and (not is_last or said.get("activate_output", True)):
            layers.append(activation())
    return nn.Sequential(*layers).requires_grad_(False).eval()


def _renumbered(old: re.Match[str]) -> str:
    """The oldest files count from 1 and have nothing between their layers."""
    return f"linear.{int(old[1]) - 1}.{old[2]}"


def activation_of(name: str | None) -> type[nn.Module] | None:
    """The class of an activation by its name in any case; None for none. Raises: ValueError for an unknown one."""
    if name is None or name.lower() == "linear":
        return None
    known = {kind.lower(): getattr(nn.modules.activation, kind) for kind in nn.modules.activation.__all__}
    found = ACTIVATIONS.get(name.lower()) or known.get(name.lower())
    if found is None:
        raise ValueError(f"the activation {name!r} is not known")
    return found


@contextlib.contextmanager
def attending(unet: nn.Module, wanted: Sequence[tuple[Hypernetwork, float]]) -> Iterator[None]:
    """Within: every attention of `unet` reads its context through the hypernetworks, each times its multiplier, one
    after the other. Widths that a hypernetwork does not know go through unchanged."""
    with contextlib.ExitStack() as undo:
        for name, module in unet.named_modules() if wanted else ():
            for place, layer in enumerate(("to_k", "to_v")):
                if name.endswith(f".{layer}"):
                    change = partial(_changed, place=place, wanted=wanted)
                    undo.callback(module.register_forward_pre_hook(change).remove)
        yield


def _changed(
    module: nn.Module, args: tuple[Tensor, ...], *, place: int, wanted: Sequence[tuple[Hypernetwork, float]]
) -> tuple[Tensor, ...]:
    context, *rest = args
    for hypernetwork, multiplier in wanted:
        pair = hypernetwork.pairs.get(context.shape[-1])
        if pair is not None:
            network = pair[place].to(context.device)
            with torch.no_grad():
                context = context + (network(context.float()) * multiplier).to(context.dtype)
    return (context, *rest)
