"""One weight of a model that networks change, and how it comes back bit by bit.

There are two ways, for two kinds of weight:

* A weight that was cast or moved when its file was loaded can be made again from the file. It is merged in place: no
  second copy while pictures are drawn. Afterwards the original values are read from the file.
* Any other weight (a view of the file itself, or made in memory) is merged into a new tensor, and the original waits.

Either way the merged values may be kept for the next time; then going back and forth costs nothing on the CPU, where
the two tensors change places, and two copies elsewhere, where the address must stay (CUDA graphs remember it).
Source: spec/performance.md §4.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Literal

import torch

from modules.networks.names import Source

if TYPE_CHECKING:
    from torch import Tensor, nn

Merge = Callable[["Tensor"], None]


class Slot:
    """A parameter and, beside it, the tensor that has the values which are not in place: merged or original.

    source, key: where the original can be read again; None if it cannot.
    """

    def __init__(self, parameter: nn.Parameter, source: Source | None = None, key: str = "") -> None:
        self.parameter = parameter
        self._source, self._key = source, key
        self._state: Literal["original", "merged", "merged over the original"] = "original"
        self._other: Tensor | None = None
        self._signature: Hashable = None

    @property
    def kept(self) -> int:
        """Bytes of the values that are not in place."""
        return 0 if self._other is None else self._other.nbytes

    def apply(self, signature: Hashable, merge: Merge) -> None:
        """The parameter with `merge` done to it, from memory if that was done last under the same `signature`.

        merge: changes the float32 tensor that it is given. Raises: RuntimeError if the slot is applied already.
        """
        if self._state != "original":
            raise RuntimeError(f"{self._key or 'a weight'} is patched already: patches do not nest")
        self._forget_misfit()
        if self._other is not None and signature == self._signature:
            self._exchange()
            self._state = "merged"
            return
        self._signature = None
        data = self.parameter.data
        if self._stored() is not None:
            self._state = "merged over the original"
            _merge_into(data, data, merge)
        else:
            if self._other is None:
                self._other = torch.empty_like(data)
            _merge_into(self._other, data, merge)
            self._exchange()
            self._state = "merged"
        self._signature = signature

    def restore(self, *, keep: bool) -> None:
        """The parameter as it was. `keep`: the merged values are remembered for the next `apply`."""
        if self._state == "merged":
            self._exchange()
        elif self._state == "merged over the original":
            self._read_again(keep)
        self._state = "original"
        if not keep:
            self.forget()

    def forget(self) -> None:
        """Drops the remembered values, if the original ones are in place."""
        if self._state == "original":
            self._other, self._signature = None, None

    def _exchange(self) -> None:
        assert self._other is not None
        data, other = self.parameter.data, self._other
        if may_move(data) and may_move(other):
            self.parameter.data, self._other = other, data
        else:
            before = data.clone()
            data.copy_(other)
            other.copy_(before)

    def _read_again(self, keep: bool) -> None:
        assert self._source is not None
        stored = self._source.stored(self._key)
        assert stored is not None
        self._forget_misfit()
        data = self.parameter.data
        if keep and may_move(data):
            original = torch.empty_like(data) if self._other is None else self._other
            original.copy_(stored)
            self.parameter.data, self._other = original, data
        else:
            if keep:
                self._other = data.clone() if self._other is None else self._other.copy_(data)
            data.copy_(stored)
        self._source.release(self._key)

    def _stored(self) -> Tensor | None:
        """The file's values of the parameter, if they are another tensor and nobody changed the parameter since."""
        if self._source is None or self.parameter.is_inference() or self.parameter._version:
            return None
        stored = self._source.stored(self._key)
        data = self.parameter.data
        if stored is None or stored.shape != data.shape or stored.data_ptr() == data.data_ptr():
            return None
        return stored

    def _forget_misfit(self) -> None:
        """Drops a tensor that does not fit the parameter any more, because the model was moved or cast meanwhile."""
        data, other = self.parameter.data, self._other
        if other is not None and (other.device, other.dtype, other.shape) != (data.device, data.dtype, data.shape):
            self._other, self._signature = None, None


def may_move(tensor: Tensor) -> bool:
    """Whether a parameter's values may come to lie at another address."""
    return tensor.device.type == "cpu"


def _merge_into(target: Tensor, original: Tensor, merge: Merge) -> None:
    """`target` = `original` with `merge` done to it; they may be the same. In float32, whatever the weight's format."""
    if target.dtype == torch.float32 and target.is_contiguous():
        if target is not original:
            target.copy_(original)
        merge(target)
    else:
        work = original.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        merge(work)
        target.copy_(work)
