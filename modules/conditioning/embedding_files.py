"""Files that hold a textual inversion -> Embedding.

    .pt .bin          A1111 {"string_to_param": {"*": (n, C)}, …}, diffusers {"<token>": (C,) or (n, C)}
    .safetensors      {"emb_params": (n, C)} or {"clip_l": (n, 768), "clip_g": (n, 1280)}, also as diffusers names them
    .png .webp …      a picture that carries one, in its text or in the low bits of its borders

The formats are those that A1111 1.10 reads; nothing is unpickled but tensors and plain data.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.conditioning.embeddings import Embedding
from modules.terms.errors import UnknownFile

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image

PICTURES = frozenset({".png", ".webp", ".jxl", ".avif"})
TEXT_KEY = "sd-ti-embedding"
CLIPS = frozenset({"clip_l", "clip_g"})
# As diffusers' training scripts for SDXL name them.
DIFFUSERS_ENCODERS = {"text_encoders_0": "clip_l", "text_encoders_1": "clip_g"}
UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,  # torch's word for some kinds of damage
    struct.error,
    zlib.error,
    binascii.Error,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


def read_embedding(path: Path) -> Embedding | None:
    """The inversion in the file; None for a picture that carries none.

    Raises: UnknownFile if the file is damaged or holds something else.
    """
    from safetensors import SafetensorError

    try:
        data = _read(path)
        return None if data is None else _embedding(path, data)
    except (*UNREADABLE, SafetensorError) as error:
        raise UnknownFile(
            f"{path.name} is no textual inversion that can be used: {error}. Move it out of the embeddings folder."
        ) from error


def _read(path: Path) -> Mapping[str, Any] | None:
    import torch
    from safetensors.torch import load_file

    if path.suffix.lower() in PICTURES:
        from PIL import Image

        with Image.open(path) as image:
            return _read_picture(image)
    if path.suffix.lower() == ".safetensors":
        return load_file(path)
    # The first inversions ever made wrap their vectors in a ParameterDict.
    with torch.serialization.safe_globals([torch.nn.ParameterDict]):
        data: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return data


def _embedding(path: Path, data: Mapping[str, Any]) -> Embedding:
    import torch

    if "string_to_param" in data:
        found = data["string_to_param"]
        tensors = dict(found.items() if isinstance(found, (Mapping, torch.nn.ParameterDict)) else {})
    else:
        tensors = {name: value for name, value in data.items() if isinstance(value, torch.Tensor)}
    tensors = {DIFFUSERS_ENCODERS.get(name, name): value for name, value in tensors.items()}
    if set(tensors) >= CLIPS:
        # Files for SD 3 have vectors for T5 as well, which reads no inversions.
        tensors = {name: tensors[name] for name in sorted(CLIPS)}
    else:
        if len(tensors) != 1:
            raise ValueError(f"it has {len(tensors)} tensors where one is expected")
        tensors = {"": next(iter(tensors.values()))}
    vectors = {name: torch.atleast_2d(tensor.detach()).float() for name, tensor in tensors.items()}
    if any(tensor.ndim != 2 or not tensor.numel() for tensor in vectors.values()):
        raise ValueError("its tensors are not rows of vectors")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in vectors.values()):
        raise ValueError("some of its numbers are infinite or not a number")
    # Pictures tell their name, since they may have been renamed; for other files the name of the file counts.
    name = data.get("name") if path.suffix.lower() in PICTURES else None
    return Embedding(
        name=str(name or path.stem),
        tensors=vectors,
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        step=data.get("step"),
        checkpoint_hash=data.get("sd_checkpoint"),
        checkpoint_name=data.get("sd_checkpoint_name"),
    )


def _read_picture(image: Image) -> Mapping[str, Any] | None:
    text = image.info.get(TEXT_KEY)
    if text is not None:
        return _from_json(base64.b64decode(text))
    hidden = _hidden_bytes(image)
    return None if hidden is None else _from_json(zlib.decompress(hidden))


def _from_json(raw: bytes) -> Mapping[str, Any]:
    """Lists marked as tensors become tensors."""
    import torch

    def tensors(found: dict[str, Any]) -> Any:
        return torch.tensor(found["TORCHTENSOR"]) if "TORCHTENSOR" in found else found

    data: Mapping[str, Any] = json.loads(raw, object_hook=tensors)
    return data


def _hidden_bytes(image: Image) -> bytes | None:
    """What is hidden in the picture, None if nothing is.

    A block on the left holds the low halves of the bytes, one on the right the high halves, each in the low four bits
    of its colours and parted from the picture by a black column.
    """
    import numpy

    pixels = numpy.array(image.convert("RGB"))
    black = numpy.flatnonzero((pixels & 0x0F == 0).all(axis=(0, 2)))
    if len(black) < 2 or black[0] == 0 or black[-1] == pixels.shape[1] - 1:
        return None
    low = _unmasked(pixels[:, : black[0]])
    high = _unmasked(pixels[:, black[-1] + 1 :])
    if low.size != high.size:
        return None
    found: bytes = (high << 4 | low).astype(numpy.uint8).tobytes()
    return found


def _unmasked(block: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The low four bits of each value, with the noise that hides them taken off."""
    import numpy

    return (block.flatten() & 0x0F) ^ numpy.array(_noise(block.size), dtype=numpy.uint8)


def _noise(count: int) -> list[int]:
    """Low four bits of a linear congruential generator that starts at 0."""
    state, values = 0, []
    for _ in range(count):
        state = (1664525 * state + 1013904223) % (1 << 32)
        values.append(state % 255 & 0x0F)
    return values
