"""The header of a GGUF file, in the terms of the other formats. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules.checkpoints.tensor_info import TensorInfo
from modules.terms.errors import UnknownFile

ARCHITECTURE = "general.architecture"
SHAPE_NOTE = "comfy.gguf.orig_shape."  # of tensors whose shape GGUF cannot say
MOST_TEXT = 10_000  # characters of a metadata value; templates and word lists are longer


def read_gguf(path: Path) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """Tensors and metadata (text and numbers only) of the GGUF file `path`.

    Raises: UnknownFile if it is damaged or the package that reads it is missing.
    """
    try:
        from gguf import GGUFReader
    except ImportError:
        raise UnknownFile(
            f"{path.name} is a GGUF file; reading it needs the package gguf. Install it (pip install gguf) and restart."
        ) from None
    try:
        reader = GGUFReader(path)
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise UnknownFile(f"{path.name} is damaged or cut off: no GGUF header can be read ({error}).") from None
    tensors = {tensor.name: _info(reader, tensor) for tensor in reader.tensors}
    end = max((info.end for info in tensors.values()), default=0)
    if end > path.stat().st_size:
        raise UnknownFile(
            f"{path.name} is cut off: {path.stat().st_size:,} of {end:,} bytes are there. Download it again."
        )
    return tensors, _metadata(reader)


def _info(reader: Any, tensor: Any) -> TensorInfo:
    # GGUF counts dimensions from the innermost.
    shape = tuple(int(side) for side in reversed(tensor.shape))
    noted = reader.get_field(f"{SHAPE_NOTE}{tensor.name}")
    if noted is not None:
        shape = tuple(int(noted.parts[place][0]) for place in noted.data)
    begin = int(tensor.data_offset)
    return TensorInfo(str(tensor.tensor_type.name), shape, begin, begin + int(tensor.n_bytes))


def _metadata(reader: Any) -> dict[str, str]:
    found = {}
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or not field.types or field.types[0].name == "ARRAY":
            continue
        text = str(field.contents())
        if len(text) <= MOST_TEXT:
            found[name] = text
    return found
