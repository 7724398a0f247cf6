"""Network files: their metadata without their tensors, and their tensors.

Safetensors are mapped, so that tensors which nobody uses are never read; pickles go through torch's restricted loader.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.terms.errors import NotFound, Refused, UnknownFile

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 1 << 20
MAX_HEADER_BYTES = 100_000_000  # the cap of the safetensors reference reader
Stamp = tuple[int, int]


def stamp_of(path: Path) -> Stamp:
    """Time and size: the same only for the same content. Raises: NotFound."""
    try:
        stat = path.stat()
    except OSError:
        raise NotFound(f"The file {path.name} is gone. Refresh the list, or choose another.") from None
    return stat.st_mtime_ns, stat.st_size


def read_metadata(path: Path) -> Mapping[str, str]:
    """What a safetensors file says of itself; nothing for other files and for damaged ones. Needs no torch.

    Only that part of the header is parsed: the rest takes nine tenths of the time, which counts with 10,000 files.
    """
    if path.suffix != ".safetensors":
        return {}
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = file.read(length) if length <= MAX_HEADER_BYTES else b""
        _, marker, rest = header.partition(b'"__metadata__"')
        text = rest.decode("utf-8").lstrip().removeprefix(":").lstrip()
        found = json.JSONDecoder().raw_decode(text)[0] if marker else {}
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor by key.

    Raises: NotFound; UnknownFile if the file is damaged; Refused if it is a pickle with code inside.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    stamp_of(path)
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise UnknownFile(f"{path.name} is damaged ({error}). Download it again.") from error
    return tensors_of(read_pickle(path), path)


def read_pickle(path: Path) -> object:
    """What torch's restricted loader makes of the file. Raises: as `read_tensors`."""
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported" in str(error) or "GLOBAL" in str(error):
            raise Refused(
                f"{path.name} was not opened: it is a pickle that wants to run code of its own, which a network has no "
                "need of. Choose its .safetensors version."
            ) from error
        raise UnknownFile(f"{path.name} is damaged: PyTorch cannot read it. Download it again.") from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise UnknownFile(f"{path.name} is damaged or cut off: PyTorch cannot read it. Download it again.") from error


def tensors_of(loaded: object, path: Path) -> dict[str, Tensor]:
    """The named tensors inside `loaded`, unwrapped. Raises: UnknownFile if there are none."""
    import torch

    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    entries: Mapping[Any, Any] = loaded if isinstance(loaded, Mapping) else {}
    found = {str(key): value for key, value in entries.items() if isinstance(value, torch.Tensor)}
    if not found:
        raise UnknownFile(
            f"{path.name} holds no named tensors: it is no network. Download it again, or move it out of the folder."
        )
    return found


def content_hash(path: Path) -> str:
    """SHA-256 by which networks are known: of the bytes after the header for safetensors, else of the whole file.

    Raises: OSError.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if path.suffix == ".safetensors":
            file.seek(8 + int.from_bytes(file.read(8), "little"))
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
