"""How much memory a device has, how freed memory is given back, and what is said when there is not enough."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from modules.terms.errors import OutOfMemory

if TYPE_CHECKING:
    from modules.checkpoints.library import CheckpointInfo

KEPT_FREE = 1 << 30  # for activations, pictures and the rest of the machine
# Devices with memory of their own; others share the machine's.
OWN_MEMORY = ("cuda", "xpu")


def has_own_memory(device: torch.device) -> bool:
    """Whether networks can wait outside of the device's memory."""
    return device.type in OWN_MEMORY


def device_memory(device: torch.device) -> tuple[int, int]:
    """(free, total) bytes of the device; of the machine's RAM where the device has none of its own.

    What torch keeps of freed memory for its next tensors counts as free.
    """
    if has_own_memory(device):
        module: Any = getattr(torch, device.type)
        free, total = module.mem_get_info(device)
        return int(free + module.memory_reserved(device) - module.memory_allocated(device)), int(total)
    import psutil

    ram = psutil.virtual_memory()
    return int(ram.available), int(ram.total)


def trim() -> None:
    """Gives freed memory back to the system and the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim_heap()


def trim_heap() -> None:
    """Gives what the C library keeps of freed memory back to the system: 0.2 s after a model of 4 GB."""
    if sys.platform == "linux":
        release = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if release is not None:
            release(0)


@contextmanager
def out_of_memory_explained(info: CheckpointInfo) -> Iterator[None]:
    """Inside, running out of memory becomes OutOfMemory with a way out, and what was half made is given back."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        sentence = _sentence(info)
        error.__traceback__ = None  # its frames hold the tensors
        trim()
        raise OutOfMemory(sentence) from None
    except RuntimeError as error:
        # torch's CPU allocator raises a plain RuntimeError.
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        trim()
        raise OutOfMemory(_sentence(info)) from None


def _sentence(info: CheckpointInfo) -> str:
    return (
        f"There is not enough memory for this with {info.name}. Make the picture or the batch smaller, "
        "unload other models, or close other programs that use the device."
    )
