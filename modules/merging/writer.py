"""A model file that appears under its name only when it is whole: one tensor after another goes to disk.

Source: the safetensors format, https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from modules.checkpoints.files import SAFETENSORS_NAMES, open_tensors
from modules.terms.errors import WebuiError

ALIGNMENT = 8


@dataclass(frozen=True)
class Planned:
    """A tensor that is to be written."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return torch.Size(self.shape).numel() * self.dtype.itemsize


class SafetensorsWriter:
    """Takes tensors in the order in which they were planned."""

    def __init__(self, file: BinaryIO, planned: Mapping[str, Planned], metadata: Mapping[str, str]) -> None:
        self._file, self._waiting = file, iter(planned.items())
        header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
        begin = 0
        for key, one in planned.items():
            end = begin + one.nbytes
            dtype = SAFETENSORS_NAMES[str(one.dtype).removeprefix("torch.")]
            header[key] = {"dtype": dtype, "shape": list(one.shape), "data_offsets": [begin, end]}
            begin = end
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        file.write(struct.pack("<Q", len(text)) + text)

    def write(self, key: str, tensor: Tensor) -> None:
        """Raises: ValueError if another tensor was to be written next."""
        expected, one = next(self._waiting)
        if (key, tensor.dtype, tuple(tensor.shape)) != (expected, one.dtype, one.shape):
            raise ValueError(f"{expected} was to be written next as {one}, not {key}")
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        if flat.numel():
            self._file.write(flat.view(torch.uint8).numpy().data)


@contextlib.contextmanager
def new_file(
    path: Path, planned: Mapping[str, Planned], metadata: Mapping[str, str], *, pickled: bool = False
) -> Iterator[SafetensorsWriter]:
    """Within: tensors are written beside `path`; afterwards they are in it. If anything is raised, nothing is left.

    pickled: as `.ckpt`, which keeps no metadata.
    Raises: WebuiError if the disk has no room for it; OSError.
    """
    needed = sum(one.nbytes for one in planned.values()) * (2 if pickled else 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise WebuiError(
            f"{path.name} needs {needed / 1e9:.1f} GB, and {path.parent} has {free / 1e9:.1f} GB free. Make room first."
        )
    # No ending of a model, so that no list shows it.
    unfinished, second = (path.with_name(f".{path.name}.{ending}") for ending in ("tmp", "tmp2"))
    try:
        with unfinished.open("wb") as file:
            yield SafetensorsWriter(file, planned, metadata)
            file.flush()
            os.fsync(file.fileno())
        if pickled:
            state = open_tensors(unfinished)
            torch.save({"state_dict": {key: state[key] for key in state}}, second)
            second.replace(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
        second.unlink(missing_ok=True)


def write_all(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """A file of tensors that are in memory. Raises: as `new_file`."""
    planned = {key: Planned(tensor.dtype, tuple(tensor.shape)) for key, tensor in tensors.items()}
    with new_file(path, planned, metadata) as file:
        for key, tensor in tensors.items():
            file.write(key, tensor)
