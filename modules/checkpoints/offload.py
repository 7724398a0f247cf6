"""Where the networks of a model wait and where they work, when the device cannot hold all of them at once.

PARTS: one network is on the device at a time, the others wait in memory. BLOCKS: the denoising network waits, too, and
its blocks come one after the other for as long as they compute; the copies that computed are thrown away, so nothing
travels back and what waits (perhaps a view of the file) is never touched. Numbers come out bit by bit the same.

Diffusers' group offloading moves weights back and forth; here networks (LoRA …) are merged into the weights that wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")
HOME = torch.device("cpu")
# A block that travels alone: SD 1.5's largest are 60 MB in half precision, SDXL's 250.
GROUP_BYTES = 256 << 20


class Offload(IntEnum):
    """How much of a model waits outside of the device; more saves memory and costs time."""

    NONE = 0
    PARTS = 1
    BLOCKS = 2


Move = Callable[[nn.Module, torch.device], object]


def move(network: nn.Module, device: torch.device) -> None:
    """`network` to `device`; its parameters stay the same objects."""
    nn.Module.to(network, device)


class Parts:
    """Brings each of `networks` to `device` when it is called, and sends the one before home."""

    def __init__(self, networks: Sequence[nn.Module], device: torch.device, move: Move = move) -> None:
        self._device, self._move = device, move
        self._lock = threading.Lock()
        self.here: nn.Module | None = None
        self._handles = []
        for network in networks:
            move(network, HOME)
            for entry in entries(network):
                bring = self._bringer(network)
                # Before the hooks of others, which expect weights and input at one place.
                self._handles.append(entry.register_forward_pre_hook(bring, with_kwargs=True, prepend=True))

    def bring(self, network: nn.Module) -> None:
        """Makes `network` the one on the device."""
        with self._lock:
            if self.here is not network:
                if self.here is not None:
                    self._move(self.here, HOME)
                self.here = None
                self._move(network, self._device)
                self.here = network

    def clear(self) -> None:
        """Sends home whatever is on the device."""
        with self._lock:
            if self.here is not None:
                self._move(self.here, HOME)
            self.here = None

    def close(self) -> None:
        """Stops to move anything."""
        for handle in self._handles:
            handle.remove()

    def _bringer(self, network: nn.Module) -> Callable[..., tuple[Any, Any]]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
            self.bring(network)
            return tuple(_there(one, self._device) for one in args), {
                name: _there(one, self._device) for name, one in kwargs.items()
            }

        return hook


class Streamed:
    """Brings each of `groups` to `device`, and into `dtype`, for the time of its call.

    dtype: None leaves every weight in its own. Two groups must not share a weight.
    """

    def __init__(self, groups: Iterable[nn.Module], device: torch.device, dtype: torch.dtype | None = None) -> None:
        self._device, self._dtype = device, dtype
        self._waiting: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}
        self._handles = []
        for group in groups:
            self._handles.append(group.register_forward_pre_hook(self._bring, prepend=True))
            # Called after a failure, too: a step that ran out of memory leaves the weights where they were.
            self._handles.append(group.register_forward_hook(self._drop, always_call=True))

    def close(self) -> None:
        """Stops to bring anything."""
        for handle in self._handles:
            handle.remove()

    def _bring(self, group: nn.Module, args: tuple[Any, ...]) -> None:
        waiting: list[tuple[Tensor, Tensor]] = []
        self._waiting[group] = waiting
        for tensor in tensors_of(group):
            home = tensor.data
            dtype = self._dtype if home.is_floating_point() else None
            waiting.append((tensor, home))
            tensor.data = home.to(self._device, dtype or home.dtype, non_blocking=True, copy=True)

    def _drop(self, group: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        for tensor, home in self._waiting.pop(group, ()):
            tensor.data = home


def tensors_of(network: nn.Module) -> Iterator[Tensor]:
    """Its parameters and buffers."""
    yield from network.parameters()
    yield from network.buffers()


def bytes_of(network: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in tensors_of(network))


def entries(network: nn.Module) -> tuple[nn.Module, ...]:
    """The modules through which `network` is called: a VAE's are inside of it, others are called themselves."""
    inner = [getattr(network, name, None) for name in ("encoder", "decoder", "quant_conv", "post_quant_conv")]
    found = tuple(one for one in inner if isinstance(one, nn.Module))
    return found if hasattr(network, "decode") and found else (network,)


def blocks(network: nn.Module, largest: int = GROUP_BYTES) -> tuple[list[nn.Module], list[Tensor]]:
    """`network` cut into modules of `largest` bytes that are called, and the tensors that belong to none of them.

    A module that is larger but cannot be cut is one of them, too.
    """
    found: list[nn.Module] = []
    loose: list[Tensor] = []

    def cut(module: nn.Module) -> None:
        children = list(module.children())
        for child in children:
            called = type(child).forward is not nn.Module.forward and not isinstance(
                child, (nn.ModuleList, nn.ModuleDict)
            )
            if called and (bytes_of(child) <= largest or not any(True for _ in child.children())):
                if any(True for _ in tensors_of(child)):
                    found.append(child)
            else:
                cut(child)
        loose.extend(module.parameters(recurse=False))
        loose.extend(module.buffers(recurse=False))

    cut(network)
    return found, loose


def _there(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value


class Offloading:
    """How the networks of one model are kept, changeable while it is held.

    denoiser: the network that is called at every step; others: text encoders and VAE. most: what it may come to when
    memory runs out.
    """

    def __init__(
        self, denoiser: nn.Module, others: Sequence[nn.Module], device: torch.device, move: Move = move
    ) -> None:
        self._denoiser, self._others, self._device, self._move = denoiser, tuple(others), device, move
        self.mode = Offload.NONE
        self.most = Offload.BLOCKS
        self._parts: Parts | None = None
        self._streamed: Streamed | None = None
        self.notes: list[str] = []

    @property
    def present(self) -> int:
        """Bytes of weights that are on the device now, the block that computes apart."""
        if self.mode == Offload.NONE:
            return sum(bytes_of(network) for network in (self._denoiser, *self._others))
        return bytes_of(self._parts.here) if self._parts is not None and self._parts.here is not None else 0

    def change(self, mode: Offload) -> None:
        """Keeps the networks in this way from now on. Weights that were merged stay merged."""
        if mode == self.mode:
            return
        self._undo()
        # What is told stays true if moving fails: nothing is hooked then, and everything that can be is at home.
        self.mode = mode
        if mode == Offload.NONE:
            for network in (self._denoiser, *self._others):
                self._move(network, self._device)
        elif mode == Offload.PARTS:
            self._parts = Parts((self._denoiser, *self._others), self._device, self._move)
        else:
            self._parts = Parts(self._others, self._device, self._move)
            self._move(self._denoiser, HOME)
            groups, loose = blocks(self._denoiser)
            for tensor in loose:
                tensor.data = tensor.data.to(self._device)
            self._streamed = Streamed(groups, self._device)

    def leave(self) -> None:
        """Sends all networks home; they come back one by one when they are called, or all with `change`."""
        self.change(Offload.PARTS)
        if self._parts is not None:
            self._parts.clear()

    def more(self) -> bool:
        """Offloads more than now, and notes it. Returns: False if there is no more to do."""
        if self.mode >= self.most:
            return False
        self.change(Offload(self.mode + 1))
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self.notes.append(DEGRADED[self.mode])
        return True

    def enduring(self, call: Callable[[], T]) -> T:
        """What `call` returns; out of memory, more of the model is offloaded and the call is made again.

        Raises: torch.OutOfMemoryError if nothing is left to do.
        """
        while True:
            try:
                return call()
            except torch.OutOfMemoryError as error:
                if self.mode >= self.most:
                    raise
                error.__traceback__ = None  # its frames hold the tensors
            self.more()

    def told(self) -> tuple[str, ...]:
        """What happened since this was asked last, as sentences for the user."""
        said, self.notes = tuple(self.notes), []
        return said

    def _undo(self) -> None:
        if self._streamed is not None:
            self._streamed.close()
        if self._parts is not None:
            self._parts.close()
            self._parts.clear()
        self._parts = self._streamed = None


DEGRADED = {
    Offload.PARTS: "Memory ran out, so only the network that works stays on the device; the step was done again.",
    Offload.BLOCKS: "Memory ran out, so the network goes to the device block by block; the step was done again.",
}
