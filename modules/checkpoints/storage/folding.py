"""Quantised weights in safetensors: several tensors of the file become the one weight that they mean.

Source: ComfyUI's files (`scale_weight`, `weight_scale`, `comfy_quant`), bitsandbytes' QuantState.as_dict(packed=True).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from modules.checkpoints.tensor_info import FLOAT8, TensorInfo
from modules.terms.errors import UnknownFile

SCALES = (".scale_weight", ".weight_scale")
# Of no use here: scales of activations, and marks that say what the number formats say already.
MARKS = (".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")
FOUR_BIT_STATE = ".quant_state.bitsandbytes__"
FOUR_BIT_TENSORS = ("absmax", "quant_map", "nested_absmax", "nested_quant_map")
FOUR_BIT_FACTS = ("blocksize", "nested_blocksize", "nested_offset")


def folded(
    tensors: Mapping[str, TensorInfo], read: Callable[[TensorInfo], bytes], path: Path
) -> Mapping[str, TensorInfo]:
    """`tensors` without the ones that only say how another is to be unpacked; that other one then has them `beside` it.

    read: the bytes of a tensor. Raises: UnknownFile if weights are packed in a way that is not known.
    """
    left = dict(tensors)
    for key in tensors:
        if key.endswith(".SCB"):
            raise UnknownFile(
                f"{path.name} holds 8-bit integers of bitsandbytes, which are not supported. Choose an fp8, nf4 or "
                "fp16 version of the model."
            )
        if key.endswith(".comfy_quant") and tensors[_weight_of(key)].dtype not in FLOAT8:
            said = read(tensors[key]).decode("utf-8", "replace")[:100]
            raise UnknownFile(
                f"{path.name} packs its weights in a way that is not supported ({said}). Choose an fp8, GGUF or fp16 "
                "version of the model."
            )
        if key.endswith(SCALES) and _weight_of(key) in left:
            weight = _weight_of(key)
            left[weight] = replace(left[weight], beside={"scale": left.pop(key)})
        elif key.endswith(MARKS):
            left.pop(key, None)
        elif FOUR_BIT_STATE in key:
            weight = key.split(FOUR_BIT_STATE)[0]
            left[weight] = _four_bit(weight, tensors, left.pop(key), read, path)
            for name in FOUR_BIT_TENSORS:
                left.pop(f"{weight}.{name}", None)
    return left


def _weight_of(key: str) -> str:
    return f"{key.rpartition('.')[0]}.weight"


def _four_bit(
    weight: str, tensors: Mapping[str, TensorInfo], state: TensorInfo, read: Callable[[TensorInfo], bytes], path: Path
) -> TensorInfo:
    try:
        said = json.loads(read(state))
        return replace(
            tensors[weight],
            dtype=str(said["quant_type"]).upper(),
            shape=tuple(int(side) for side in said["shape"]),
            beside={name: tensors[f"{weight}.{name}"] for name in FOUR_BIT_TENSORS if f"{weight}.{name}" in tensors},
            facts={name: float(said[name]) for name in FOUR_BIT_FACTS if name in said},
        )
    except (ValueError, KeyError, TypeError):
        raise UnknownFile(
            f"{path.name} is damaged: how {weight} is packed cannot be read. Download it again."
        ) from None


def has_marks(tensors: Mapping[str, TensorInfo]) -> bool:
    """Whether there is anything to fold: most files have not."""
    return any(key.endswith((*SCALES, *MARKS, ".SCB")) or FOUR_BIT_STATE in key for key in tensors)
