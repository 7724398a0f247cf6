"""Model files as mappings from key to tensor, without reading what nobody asks for.

Safetensors are parsed here (a length, a JSON header, raw bytes) because two things matter that no reader offers
together: a header read that needs no torch, and a mapping whose pages can be given back one tensor at a time.
GGUF files are mapped the same way. Pickles (`.ckpt`, `.pt`) go through torch's restricted loader; code inside them is
never run.
Source: the safetensors format, https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from modules.checkpoints.folder import is_folder, read_folder
from modules.checkpoints.storage.folding import folded, has_marks
from modules.checkpoints.storage.gguf_header import read_gguf
from modules.checkpoints.tensor_info import DTYPE_BYTES, TORCH_NAMES
from modules.checkpoints.tensor_info import TensorInfo as TensorInfo
from modules.terms.errors import NotFound, Refused, UnknownFile

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from modules.checkpoints.storage.packed import Packed

MAX_HEADER_BYTES = 100_000_000  # the cap of the safetensors reference reader
SAFETENSORS_NAMES = {name: short for short, name in TORCH_NAMES.items()}

FileKind = Literal["safetensors", "gguf", "folder", "zip pickle", "old pickle"]


@dataclass(frozen=True)
class Header:
    """Keys, shapes and metadata of a model file; no data. Averaged copies (`model_ema.*`) are left out."""

    path: Path
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, key: object) -> bool:
        return key in self.tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def shape(self, key: str) -> tuple[int, ...] | None:
        """The shape of `key`, None if the file has no such tensor."""
        info = self.tensors.get(key)
        return info.shape if info else None

    def has_prefix(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self.tensors)


class StateDict(Mapping[str, "Tensor"]):
    """Key -> tensor of a model file; a tensor's bytes are read from disk when it is first touched.

    Tensors are private views of the file: writing to one changes memory (copy on write), never the file. What is
    quantised comes as float32, not as a view; `packed` gives it as it is stored.
    """

    def __init__(
        self, header: Header, mapped: Mapping[str, mmap.mmap] | None, loaded: Mapping[str, Tensor] | None = None
    ) -> None:
        """mapped: by `TensorInfo.file`; None if the tensors were `loaded`."""
        self.header = header
        self._mapped = mapped
        self._loaded = loaded or {}

    def __getitem__(self, key: str) -> Tensor:
        if self._mapped is None:
            return self._loaded[key]
        info = self.header.tensors[key]
        if info.plain:
            return self._plain(info)
        packed = self.packed(key)
        if packed is not None:
            return packed.unpacked()
        from modules.checkpoints.storage.unpacking import scaled

        return scaled(info, self._plain(replace(info, beside={})), self._plain)

    def packed(self, key: str) -> Packed | None:
        """The weight `key` in the form that the file stores it in; None if it is stored as plain numbers.

        Raises: UnknownFile if that form is not known.
        """
        info = self.header.tensors[key]
        if self._mapped is None or not info.packed:
            return None
        from modules.checkpoints.storage.unpacking import packed_of

        stored = TensorInfo("I8", (info.nbytes,), info.begin, info.end, file=info.file)
        return packed_of(info, self._plain(stored), self._plain)

    def _plain(self, info: TensorInfo) -> Tensor:
        assert self._mapped is not None
        return _view(self._mapped[info.file], info)

    def __iter__(self) -> Iterator[str]:
        return iter(self.header.tensors)

    def __len__(self) -> int:
        return len(self.header.tensors)

    def __contains__(self, key: object) -> bool:
        return key in self.header.tensors

    def release(self, key: str) -> None:
        """Gives back the memory pages of `key`, which has been copied elsewhere. What views of it hold is read from
        the file again when touched; writes to them are lost. Does nothing where the system cannot."""
        info = self.header.tensors[key]
        if self._mapped is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        begin = -(-info.begin // mmap.PAGESIZE) * mmap.PAGESIZE
        end = info.end // mmap.PAGESIZE * mmap.PAGESIZE
        if end > begin:
            self._mapped[info.file].madvise(mmap.MADV_DONTNEED, begin, end - begin)


def open_tensors(path: Path) -> StateDict:
    """The tensors of `path`, a file or a folder of diffusers, by key, lazily.

    Raises: NotFound; UnknownFile if it is broken or no model file; Refused if it is a pickle with code inside.
    """
    kind = kind_of(path)
    if "pickle" in kind:
        return _open_pickle(path)
    header = read_header(path)
    if kind == "folder":
        files = sorted({info.file for info in header.tensors.values()})
        return StateDict(header, {file: _mapped(path / file) for file in files})
    return StateDict(header, {"": _mapped(path)})


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def read_header(path: Path) -> Header:
    """Keys, shapes, dtypes and metadata of `path`. Pickles are mapped; others need a few kilobytes and no torch.

    Raises: as `open_tensors`.
    """
    kind = kind_of(path)
    if kind == "folder":
        tensors, metadata = read_folder(path, read_header)
        return Header(path, tensors, metadata)
    if kind == "gguf":
        return _gguf_header(path)
    return _safetensors_header(path) if kind == "safetensors" else _open_pickle(path).header


def kind_of(path: Path) -> FileKind:
    """How `path` is written, by its first bytes (names lie); "folder" is one of diffusers.

    Raises: NotFound if it is not there, UnknownFile with what it looks like if it is no model file.
    """
    if is_folder(path):
        return "folder"
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except (FileNotFoundError, IsADirectoryError):
        raise NotFound(f"There is no file {path}. Refresh the list of models, or choose another.") from None
    # Before pickles: a header's length may begin with the bytes of a pickle (80 02), but no pickle goes on like this.
    if start[8:9] == b"{" and start[7:8] == b"\0":
        return "safetensors"
    if start[:4] == b"GGUF":
        return "gguf"
    if start[:4] == b"PK\x03\x04":
        return "zip pickle"
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        return "old pickle"
    raise UnknownFile(f"{path.name} cannot be read: {_looks_like(start)}")


def _looks_like(start: bytes) -> str:
    text = start.lstrip().lower()
    if not text.strip(b"\0"):
        return "it is empty, or its beginning is zeros: the download did not finish. Download it again."
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, not a model: the site answered with a page (a login, perhaps). Download it again."
    if text.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, a note that says where the model lies. Fetch the file itself (git lfs pull)."
    if text.startswith(b"{"):
        return "it is JSON text, not a model: probably a site's error message. Download it again."
    return "it is neither safetensors nor a PyTorch file, or it is damaged. Download it again."


def _safetensors_header(path: Path) -> Header:
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        if length > MAX_HEADER_BYTES:
            raise UnknownFile(f"{path.name} is damaged: its header claims {length:,} bytes. Download it again.")
        raw = file.read(length)
    if len(raw) < length:
        raise UnknownFile(f"{path.name} is cut off inside its header ({size:,} bytes). Download it again.")
    try:
        entries = json.loads(raw)
        metadata = {str(key): str(value) for key, value in (entries.pop("__metadata__", None) or {}).items()}
        tensors = {
            key: TensorInfo(
                dtype=entry["dtype"],
                shape=tuple(int(side) for side in entry["shape"]),
                begin=8 + length + int(entry["data_offsets"][0]),
                end=8 + length + int(entry["data_offsets"][1]),
            )
            for key, entry in entries.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise UnknownFile(f"{path.name} is damaged: its header cannot be read. Download it again.") from None
    _check_extents(path, tensors, size, 8 + length)
    if has_marks(tensors):
        with path.open("rb") as file:
            tensors = dict(folded(tensors, partial(_bytes_of, file), path))
    return Header(path, _without_averages(tensors), metadata)


def _bytes_of(file: BinaryIO, info: TensorInfo) -> bytes:
    file.seek(info.begin)
    return file.read(info.nbytes)


def _gguf_header(path: Path) -> Header:
    tensors, metadata = read_gguf(path)
    return Header(path, tensors, metadata)


def _check_extents(path: Path, tensors: Mapping[str, TensorInfo], size: int, data_begin: int) -> None:
    """Raises: UnknownFile unless every tensor lies inside the file and is as long as its shape says."""
    for key, info in tensors.items():
        if info.dtype not in DTYPE_BYTES:
            raise UnknownFile(
                f"{path.name} stores {key} as {info.dtype}, a number format that is not supported. "
                "Get an fp16, bf16 or fp8 version of it."
            )
        if info.begin < data_begin or any(side < 0 for side in info.shape) or info.end - info.begin != info.nbytes:
            raise UnknownFile(f"{path.name} is damaged: the header contradicts itself at {key}. Download it again.")
    needed = max((info.end for info in tensors.values()), default=0)
    if needed > size:
        raise UnknownFile(f"{path.name} is cut off: {size:,} of {needed:,} bytes are there. Download it again.")


def _without_averages(tensors: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tensors.items() if not key.startswith("model_ema.")}


def _view(mapped: mmap.mmap, info: TensorInfo) -> Tensor:
    import torch

    dtype: torch.dtype = getattr(torch, TORCH_NAMES[info.dtype])
    if not info.elements:
        return torch.empty(info.shape, dtype=dtype)
    if info.begin % DTYPE_BYTES[info.dtype]:
        # Some writers do not pad the header; kernels expect aligned numbers, so such a tensor is copied.
        return torch.frombuffer(bytearray(mapped[info.begin : info.end]), dtype=dtype).view(info.shape)
    return torch.frombuffer(mapped, dtype=dtype, count=info.elements, offset=info.begin).view(info.shape)


def _open_pickle(path: Path) -> StateDict:
    loaded = _without_averages(_unwrapped(read_pickle(path), path))
    tensors = {
        key: TensorInfo(SAFETENSORS_NAMES.get(str(tensor.dtype).removeprefix("torch."), "F32"), tuple(tensor.shape))
        for key, tensor in loaded.items()
    }
    return StateDict(Header(path, tensors), None, loaded)


def read_pickle(path: Path) -> object:
    """What torch's restricted loader makes of `path`: tensors, numbers, text and containers, nothing that runs.

    Raises: UnknownFile, Refused.
    """
    import pickle

    import torch

    try:
        with torch.serialization.safe_globals(_inert_stand_ins()):
            # The format of torch < 1.6 cannot be mapped; it is read whole.
            mapped = kind_of(path) == "zip pickle"
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "Unsupported operand" in str(error) or "GLOBAL" in str(error):
            raise Refused(
                f"{path.name} was not opened: it is a pickle that wants to run code of its own, which a model has no "
                "need of. Choose its .safetensors version, or convert it to safetensors where that code does no harm."
            ) from error
        raise UnknownFile(f"{path.name} is damaged: PyTorch cannot read it. Download it again.") from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise UnknownFile(f"{path.name} is damaged or cut off: PyTorch cannot read it. Download it again.") from error


def _inert_stand_ins() -> list[Any]:
    """Classes that old training programs left in their checkpoints beside the tensors; each becomes an empty shell."""
    import numpy

    shell = type("TrainingCallback", (), {})
    scalar = numpy.float64(0).__reduce__()[0]  # numpy 1 and 2 keep it in different modules
    return [
        (shell, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
        (shell, "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint"),
        (numpy.dtype, "numpy.dtype"),
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        *(type(numpy.dtype(name)) for name in ("float64", "float32", "int64", "int32")),
    ]


def _unwrapped(loaded: object, path: Path) -> dict[str, Tensor]:
    """The mapping of tensors inside `loaded`, which training programs wrap in "state_dict" (or "model", "params")."""
    import torch

    for wrapper in ("state_dict", "model", "params_ema", "params"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
            break
    if isinstance(loaded, Mapping):
        found = {str(key): value for key, value in loaded.items() if isinstance(value, torch.Tensor)}
        if found:
            return found
    raise UnknownFile(f"{path.name} is a PyTorch file without named tensors: no model. Download the checkpoint itself.")
