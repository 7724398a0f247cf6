"""Model files whose weights are written in fewer bits, made from plain tensors by the packages that define them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

NF4_TABLE = torch.tensor([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
])  # fmt: skip

Chosen = Callable[[str, Tensor], bool]


def matrices(key: str, value: Tensor) -> bool:
    """What quantised files quantise: weights of layers, not norms."""
    return value.ndim == 2 and value.is_floating_point()


def write_gguf(
    path: Path, tensors: Mapping[str, Tensor], kind: str = "Q8_0", architecture: str = "sd1", chosen: Chosen = matrices
) -> Path:
    """GGUF with the `chosen` tensors in `kind`, if their rows are whole blocks, and the others in F16 or F32."""
    writer = gguf.GGUFWriter(str(path), architecture)
    quantised = gguf.GGMLQuantizationType[kind]
    block = gguf.GGML_QUANT_SIZES[quantised][0]
    for key, value in tensors.items():
        numbers = np.ascontiguousarray(value.detach().float().numpy())
        if not numbers.shape:
            continue
        if chosen(key, value) and numbers.shape[-1] % block == 0 and kind != "F16":
            writer.add_tensor(key, gguf.quantize(numbers, quantised), raw_dtype=quantised)
        elif chosen(key, value):
            writer.add_tensor(key, numbers.astype(np.float16))
        else:
            writer.add_tensor(key, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_fp8(
    path: Path,
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype = torch.float8_e4m3fn,
    scale_name: str | None = None,
    chosen: Chosen = lambda key, value: value.ndim in (2, 4),
) -> Path:
    """Safetensors with the `chosen` tensors in eight bits; with `scale_name` ("scale_weight" …) as ComfyUI scales them,
    without, as they are."""
    made: dict[str, Tensor] = {"scaled_fp8": torch.zeros(2, dtype=dtype)} if scale_name else {}
    for key, value in tensors.items():
        if not (key.endswith(".weight") and chosen(key, value) and value.is_floating_point()):
            made[key] = value.clone()
            continue
        scale = value.abs().max() / torch.finfo(dtype).max if scale_name else torch.tensor(1.0)
        made[key] = (value / scale).to(dtype)
        if scale_name:
            made[f"{key.removesuffix('.weight')}.{scale_name}"] = scale
    save_file({key: value.contiguous() for key, value in made.items()}, path)
    return path


def write_nf4(path: Path, tensors: Mapping[str, Tensor], block: int = 64, nested: bool = False) -> Path:
    """Safetensors with every matrix in four bits, under the names that bitsandbytes gives to the parts."""
    made = {}
    for key, value in tensors.items():
        if matrices(key, value) and key.endswith(".weight"):
            made |= nf4_parts(key, value, block, nested)
        else:
            made[key] = value.clone()
    save_file({key: value.contiguous() for key, value in made.items()}, path)
    return path


def nf4_parts(key: str, value: Tensor, block: int = 64, nested: bool = False) -> dict[str, Tensor]:
    flat = value.flatten()
    padded = torch.nn.functional.pad(flat, (0, -len(flat) % block)).view(-1, block)
    absmax = padded.abs().amax(dim=1).clamp(min=1e-12)
    places = (padded / absmax[:, None]).flatten()[: len(flat)][:, None].sub(NF4_TABLE).abs().argmin(dim=1)
    places = torch.nn.functional.pad(places, (0, len(places) % 2)).to(torch.uint8).view(-1, 2)
    facts = {"quant_type": "nf4", "blocksize": block, "dtype": "float16", "shape": list(value.shape)}
    parts = {key: ((places[:, :1] << 4) | places[:, 1:]), f"{key}.quant_map": NF4_TABLE.clone()}
    if nested:
        offset = float(absmax.mean())
        left = absmax - offset
        outer = torch.nn.functional.pad(left, (0, -len(left) % 256)).view(-1, 256).abs().amax(dim=1).clamp(min=1e-12)
        table = torch.linspace(-1, 1, 256)
        scaled = left / outer.repeat_interleave(256)[: len(left)]
        parts |= {
            f"{key}.absmax": (scaled[:, None] - table).abs().argmin(dim=1).to(torch.uint8),
            f"{key}.nested_absmax": outer,
            f"{key}.nested_quant_map": table,
        }
        facts |= {"nested_blocksize": 256, "nested_offset": offset, "nested_dtype": "float32"}
    else:
        parts[f"{key}.absmax"] = absmax
    state = torch.tensor(list(json.dumps(facts).encode()), dtype=torch.uint8)
    return {**parts, f"{key}.quant_state.bitsandbytes__nf4": state}
