"""Text encoders that give their memory back while pictures are drawn, and take their weights from the file again when
they are asked.

On a processor a text encoder of SD 1.5 takes half a gigabyte, works for a fraction of a second per prompt, and has its
weights again in 0.2 s. Elsewhere `offload` moves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.device_memory import trim_heap
from modules.checkpoints.files import StateDict, open_tensors
from modules.checkpoints.load import place

if TYPE_CHECKING:
    from modules.checkpoints.components import Component


class _Asleep:
    """The hook of a network without weights: the first call brings them back. Holds the file open, so that another
    file under its name does not matter."""

    def __init__(
        self, component: Component[Any], state: StateDict, dtype: torch.dtype, device: torch.device, *, eight_bit: bool
    ) -> None:
        self._component, self._state, self._dtype, self._device = component, state, dtype, device
        self._eight_bit = eight_bit

    def __call__(self, network: nn.Module, args: tuple[object, ...]) -> None:
        wake(network)

    def fill(self, network: nn.Module) -> None:
        fresh = place(self._component, self._state, self._dtype, self._device, eight_bit=self._eight_bit)
        values = dict([*fresh.named_parameters(), *fresh.named_buffers()])
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            tensor.data = values[name].data


def rest(network: nn.Module, component: Component[Any], state: StateDict, *, eight_bit: bool = False) -> None:
    """Drops the weights of `network`, which was made of `component` and `state`; its next call brings them back."""
    if _sleeper(network) is not None:
        return
    first = next((one for one in network.parameters() if one.is_floating_point()), None)
    if first is None:
        return
    asleep = _Asleep(component, state, first.dtype, first.device, eight_bit=eight_bit)
    network.register_forward_pre_hook(asleep, prepend=True)
    for tensor in [*network.parameters(), *network.buffers()]:
        tensor.data = tensor.data.new_empty(0)


def wake(network: nn.Module) -> None:
    """Brings the weights of `network` back if it rests."""
    asleep = _sleeper(network)
    if asleep is not None:
        number, hook = asleep
        del network._forward_pre_hooks[number]
        hook.fill(network)


def rest_texts(bundle: ModelBundle) -> None:
    """Lets the text encoders of `bundle` rest, if that frees memory: on a processor, where nothing can be moved away.

    Nobody may have changed their weights.
    """
    if bundle.device.type != "cpu":
        return
    for part, clip in zip(bundle.blueprint.text, bundle.clips, strict=True):
        source = part.component.source or bundle.info.path
        rest(clip.model, part.component, open_tensors(source), eight_bit=bundle.eight_bit)
    trim_heap()


def wake_texts(bundle: ModelBundle) -> None:
    """Brings back the weights of all text encoders, for those who want to change or to read them."""
    for clip in bundle.clips:
        wake(clip.model)


def _sleeper(network: nn.Module) -> tuple[int, _Asleep] | None:
    for number, hook in network._forward_pre_hooks.items():
        if isinstance(hook, _Asleep):
            return number, hook
    return None
